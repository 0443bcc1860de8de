/// Random numbers of nearly normal distribution, fast: each is the sum of four uniform ones (out to 3.46 standard
/// deviations), of one 64-bit random number.
package struct NormalSource: Sendable {
    private var state: UInt64

    /// Streams of different keys are independent: rows of a tensor can be made in any order.
    package init(seed: UInt64, stream: UInt64) {
        state = Self.mix(seed &* 0x9E37_79B9_7F4A_7C15 &+ Self.mix(stream &+ 0x632B_E59B_D9B4_E019))
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    package mutating func fill(_ values: UnsafeMutablePointer<Float>, count: Int, center: Float = 0, spread: Float) {
        // Four times 16 bits: the sum's standard deviation is 65,536 / sqrt(3).
        let scale = spread * 1.732_050_8 / 65_536
        let offset = center - 131_070 * scale
        for index in 0..<count {
            let bits = next()
            let pairs = (bits & 0x0000_FFFF_0000_FFFF) &+ ((bits >> 16) & 0x0000_FFFF_0000_FFFF)
            let sum = Int32(truncatingIfNeeded: pairs & 0xFFFF_FFFF) &+ Int32(truncatingIfNeeded: pairs >> 32)
            values[index] = Float(sum) * scale + offset
        }
    }

    /// The finaliser of SplitMix64.
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
