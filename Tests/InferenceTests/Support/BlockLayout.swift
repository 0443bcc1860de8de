import Tensors

/// Where the float16 scales of a quantised format's block stand, and how large they are for weights of a given spread;
/// all other bits may be anything.
struct BlockLayout {
    private let byteCount: Int
    /// In bytes from the start of a block.
    private let scaleOffset: Int
    /// Of the minimum, or of the scale of minima.
    private var minimumOffset: Int?
    /// The standard deviation of values where the scale is 1 and all other bits are random.
    private let deviation: Float
    /// What the minimum is, in scales, for values about zero.
    private var center: Float = 0

    /// Nil for float formats.
    init?(_ format: TensorFormat) {
        byteCount = format.blockByteCount
        switch format {
        case .f32, .f16, .bf16: return nil
        case .q4_0: (scaleOffset, deviation) = (0, 4.6)
        case .q4_1: (scaleOffset, minimumOffset, deviation, center) = (0, 2, 4.6, -7.5)
        case .q5_0: (scaleOffset, deviation) = (0, 9.2)
        case .q5_1: (scaleOffset, minimumOffset, deviation, center) = (0, 2, 9.2, -15.5)
        case .q8_0: (scaleOffset, deviation) = (0, 74)
        case .iq4_nl: (scaleOffset, deviation) = (0, 69)
        // Groups have scales and minima of their own: s q - m c, with q about c.
        case .q2_k: (scaleOffset, minimumOffset, deviation, center) = (80, 82, 14, 1.5)
        case .q3_k: (scaleOffset, deviation) = (108, 43)
        case .q4_k: (scaleOffset, minimumOffset, deviation, center) = (0, 2, 257, 7.5)
        case .q5_k: (scaleOffset, minimumOffset, deviation, center) = (0, 2, 524, 15.5)
        case .q6_k: (scaleOffset, deviation) = (208, 1366)
        }
    }

    func block(spread: Float, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = (0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
        let scale = Float16(spread * (1 + 0.5 * random.symmetric()) / deviation)
        Self.put(scale, at: scaleOffset, &bytes)
        if let minimumOffset { Self.put(Float16(center * Float(scale)), at: minimumOffset, &bytes) }
        return bytes
    }

    private static func put(_ half: Float16, at offset: Int, _ bytes: inout [UInt8]) {
        bytes.replaceSubrange(offset..<offset + 2, with: ModelWriter.bytes(half.bitPattern))
    }
}
