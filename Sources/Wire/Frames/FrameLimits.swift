/// The largest frames. A length above them is refused from the header alone, before anything is allocated.
public enum FrameLimits {
    public static let controlByteCountMax = 4 << 20
    public static let bulkByteCountMax = 256 << 20
    /// Of `hello`, `welcome` and `refuse`.
    public static let handshakeControlByteCountMax = 4096
    /// Of `piece`: a lane is never taken by one frame for long.
    public static let pieceByteCountMax = 1 << 20
    /// Of `enrol`.
    public static let enrolControlByteCountMax = 8192
    /// Of `enrolled`.
    public static let enrolledControlByteCountMax = 262_144
    /// Of `failure`, `goodbye`, `revoke` and `abandon`.
    public static let failureControlByteCountMax = 4096

    /// The largest control part of a frame of this kind.
    public static func controlByteCountMax(of kind: FrameKind) -> Int {
        switch kind {
        case .hello, .welcome, .refuse: handshakeControlByteCountMax
        case .enrol: enrolControlByteCountMax
        case .enrolled: enrolledControlByteCountMax
        case .failure, .goodbye, .revoke, .abandon: failureControlByteCountMax
        case .call, .reply, .oneWay: controlByteCountMax
        case .cancel, .ping, .pong, .grant, .piece, .landed, .acknowledge: 0
        }
    }

    /// The largest bulk part of a frame of this kind, as sent and decompressed.
    public static func bulkByteCountMax(of kind: FrameKind) -> Int {
        switch kind {
        case .piece: pieceByteCountMax
        default: kind.mayCarryBulk ? bulkByteCountMax : 0
        }
    }
}
