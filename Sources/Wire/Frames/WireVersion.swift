/// Versions of the protocol. The handshake settles on the highest that both ends speak; the header's layout is the
/// same in all of them.
public enum WireVersion {
    public static let oldest: UInt8 = 1
    public static let newest: UInt8 = 1
    /// Of the frames before a version is settled: `hello`, `welcome` and `refuse` in every build.
    public static let handshake: UInt8 = 1

    /// The version to speak with an end that speaks `others`; nil when there is none.
    public static func negotiate(with others: ClosedRange<UInt8>) -> UInt8? {
        let highest = min(newest, others.upperBound)
        return highest >= max(oldest, others.lowerBound) ? highest : nil
    }
}
