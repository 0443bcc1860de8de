/// The largest frames. A length above them is refused from the header alone, before anything is allocated.
public enum FrameLimits {
    public static let controlByteCountMax = 4 << 20
    public static let bulkByteCountMax = 256 << 20
    /// Of `hello`, `welcome` and `refuse`.
    public static let handshakeControlByteCountMax = 4096
    /// Of `enrol`.
    public static let enrolControlByteCountMax = 8192
    /// Of `enrolled`.
    public static let enrolledControlByteCountMax = 262_144
    /// Of `failure` and `goodbye`.
    public static let failureControlByteCountMax = 4096

    /// The largest control part of a frame of this kind.
    public static func controlByteCountMax(of kind: FrameKind) -> Int {
        switch kind {
        case .hello, .welcome, .refuse: handshakeControlByteCountMax
        case .enrol: enrolControlByteCountMax
        case .enrolled: enrolledControlByteCountMax
        case .failure, .goodbye: failureControlByteCountMax
        case .call, .reply, .oneWay: controlByteCountMax
        case .cancel, .ping, .pong: 0
        }
    }

    /// The largest bulk part of a frame of this kind, as sent and decompressed.
    public static func bulkByteCountMax(of kind: FrameKind) -> Int {
        kind.mayCarryBulk ? bulkByteCountMax : 0
    }
}
