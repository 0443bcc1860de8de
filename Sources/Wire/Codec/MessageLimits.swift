/// The largest values that messages may hold. They bound what a receiver allocates for a message, and keep every
/// sum of decoded counts far from overflow.
public enum MessageLimits {
    /// Of one step, over all its sequences.
    public static let rowCountMax = 65_536
    /// Positions and counts of tokens; kernels take positions as 32-bit numbers.
    public static let positionMax = Int(Int32.max)
    /// Blocks that cover the largest position.
    public static let blockCountMax = positionMax / 32 + 1
    public static let layerCountMax = 65_536
    public static let stageCountMax = 4096
    /// Of nodes and of pipelines in a topology.
    public static let listCountMax = 4096
    /// Of names, hosts, versions, fingerprints, in UTF-8 bytes.
    public static let nameByteCountMax = 255
    /// Of reasons and messages for people; longer ones are cut when they are sent.
    public static let reasonByteCountMax = 2048
    /// Of a failure's code.
    public static let codeByteCountMax = 64
    /// Of a certificate request.
    public static let requestByteCountMax = 4096
    /// Of one certificate, and of how many in a chain.
    public static let certificateByteCountMax = 8192
    public static let certificateCountMax = 8
    /// Of revoked certificates in one message; a serial number has 1 to 20 bytes, two digits each.
    public static let serialCountMax = 4096
    public static let serialByteCountMax = 40

    /// What unpacking a control part may allocate. Messages unpack to at most about 40 times their bytes; more means
    /// that somebody sends millions of empty parts.
    static func unpackedByteCountMax(controlByteCount: Int) -> Int {
        min(65_536 + 64 * controlByteCount, 48 << 20)
    }
}
