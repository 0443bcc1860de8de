/// What a frame is. `Protocols/wire.md` says which kinds are allowed in which state of a lane.
public enum FrameKind: UInt8, Sendable, CaseIterable, Hashable {
    /// The first frame of the end that opened a connection; body `Hello`.
    case hello = 1
    /// The answer that admits it; body `Welcome`.
    case welcome = 2
    /// The answer that does not; body `RemoteFailure`. The connection closes after it.
    case refuse = 3
    /// Asks for a reply.
    case call = 4
    /// The result of a call.
    case reply = 5
    /// The error of a call; body `RemoteFailure`.
    case failure = 6
    /// Is not answered.
    case oneWay = 7
    /// The caller no longer waits for this call.
    case cancel = 8
    /// Asks for a pong with the same call number.
    case ping = 9
    case pong = 10
    /// The sender closes all lanes; body `RemoteFailure`.
    case goodbye = 11
    /// On an enrolment connection, from the end that opened it, the only frame: asks for a certificate; body `Enrol`.
    case enrol = 12
    /// The answer that grants it; body `Enrolled`. The connection closes after it.
    case enrolled = 13

    // Bulk transfers. `call` holds the transfer's number.

    /// The receiver lets the other end send it `actor` bytes; control.
    case grant = 14
    /// The next bytes of a transfer, from byte `actor` on; bulk.
    case piece = 15
    /// The receiver has all bytes of it; control.
    case landed = 16
    /// The receiver takes the grant back; body `RemoteFailure`; control.
    case revoke = 17
    /// The sender sends no more of it; body `RemoteFailure`; control.
    case abandon = 18

    /// The sender has received `call` kept messages on control lanes of this link; control.
    case acknowledge = 19

    /// Whether the kind belongs to the handshake, before which nothing is known of the other end.
    public var isHandshake: Bool {
        switch self {
        case .hello, .welcome, .refuse, .enrol, .enrolled: true
        default: false
        }
    }

    /// Whether a bulk part may follow the control part.
    public var mayCarryBulk: Bool {
        switch self {
        case .call, .reply, .oneWay, .piece: true
        default: false
        }
    }

    /// Whether the frame names a distributed method.
    public var namesMethod: Bool { self == .call || self == .oneWay }

    /// Whether such a frame, on the control lane, is sent again on the next one if that lane is lost before it was
    /// received.
    public var isKept: Bool {
        switch self {
        case .oneWay, .grant, .landed, .revoke, .abandon: true
        default: false
        }
    }

    /// Whether the call number must not be 0.
    public var namesCall: Bool {
        switch self {
        case .call, .reply, .failure, .cancel, .grant, .piece, .landed, .revoke, .abandon, .acknowledge: true
        default: false
        }
    }
}
