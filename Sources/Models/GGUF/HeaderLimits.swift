/// Bounds on what a header may hold, far above any real model: a damaged count must not eat the memory.
enum HeaderLimits {
    static let metadataCountMax = 1 << 16
    static let tensorCountMax = 1 << 20
    static let keyByteCountMax = 65_535
    static let tensorNameByteCountMax = 1024
    static let stringByteCountMax = 16 << 20
    /// Elements of all arrays together.
    static let elementCountMax = 1 << 24
    static let arrayDepthMax = 4
    static let dimensionCountMax = 4
    static let alignmentMax = 1 << 20
    static let defaultAlignment = 32
}
