import Vocabulary
import Wire

/// Waits for the first frame on an accepted connection: a hello, or the request for a first certificate.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class Greeter: LaneDelegate, @unchecked Sendable {
    enum Greeting: Sendable {
        case hello(Hello)
        case enrol(Enrol)
    }

    let connection: LaneConnection
    private var timer: LoopTimer?
    private let onGreeting: @Sendable (Greeter, Greeting) throws -> Void
    private let onEnded: @Sendable (Greeter, LaneEnd) -> Void

    init(
        connection: LaneConnection, onGreeting: @escaping @Sendable (Greeter, Greeting) throws -> Void,
        onEnded: @escaping @Sendable (Greeter, LaneEnd) -> Void
    ) {
        self.connection = connection
        self.onGreeting = onGreeting
        self.onEnded = onEnded
    }

    func open(loop: EventLoop, timeout: Instant.Span) throws(TransportError) {
        timer = loop.schedule(after: timeout) { [weak self] in
            self?.connection.end(LaneEnd(kind: .violation, reason: "no complete hello in time"))
        }
        try connection.open(delegate: self)
    }

    func close(_ error: TransportError) {
        timer?.cancel()
        connection.close(error)
    }

    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws {
        let expected: FrameKind
        switch lane.authentication {
        case .none, .certified: expected = .hello
        case .enrolling: expected = .enrol
        // Nothing but the header is read of those who have no business here.
        case .refused(let reason): throw LaneEnd(kind: .forbidden, reason: reason)
        case .pending: throw LaneEnd(kind: .violation, reason: "a frame before the TLS handshake is over")
        }
        guard header.kind == expected else {
            throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame in place of the \(expected)")
        }
        try lane.requireChecksum(header)
    }

    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) throws {
        timer?.cancel()
        let stamp = frame.header.stamp
        if frame.header.kind == .enrol {
            return try onGreeting(self, .enrol(try Enrol(control: frame.control, stamp: stamp, bulk: frame.bulk)))
        }
        let hello = try Hello(control: frame.control, stamp: stamp, bulk: frame.bulk)
        guard stamp.incarnation == hello.incarnation || stamp.incarnation.rawValue == 0 else {
            throw LaneEnd(
                kind: .violation,
                reason: "a hello of incarnation \(hello.incarnation) in a frame of \(stamp.incarnation)")
        }
        try onGreeting(self, .hello(hello))
    }

    func laneHeard(_ lane: LaneConnection) {}

    func lane(_ lane: LaneConnection, ended end: LaneEnd) {
        timer?.cancel()
        onEnded(self, end)
    }
}
