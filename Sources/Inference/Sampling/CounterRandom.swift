/// Random numbers without state: a block cipher over a counter, so a repeated sample is the same sample.
///
/// Philox4x32 with 10 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The
/// key is the request's seed; the counter is (position's low word, position's high word, choice, draw). The position
/// is that of the token to be sampled; draws of one position are numbered from 0.
package enum CounterRandom {
    /// A uniform number in [0, 1): a multiple of 2^-53.
    package static func uniform(seed: UInt64, choice: UInt32, position: Int, draw: UInt32) -> Double {
        let place = UInt64(bitPattern: Int64(position))
        let words = philox(
            counter: SIMD4(UInt32(truncatingIfNeeded: place), UInt32(truncatingIfNeeded: place >> 32), choice, draw),
            key: SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32)))
        let bits = UInt64(words[1]) << 32 | UInt64(words[0])
        return Double(bits >> 11) * 0x1p-53
    }

    package static func philox(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var (counter, key) = (counter, key)
        for round in 0..<10 {
            if round > 0 { key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85) }
            let even = UInt64(counter[0]) * 0xD251_1F53
            let odd = UInt64(counter[2]) * 0xCD9E_8D57
            counter = SIMD4(
                UInt32(truncatingIfNeeded: odd >> 32) ^ counter[1] ^ key[0], UInt32(truncatingIfNeeded: odd),
                UInt32(truncatingIfNeeded: even >> 32) ^ counter[3] ^ key[1], UInt32(truncatingIfNeeded: even))
        }
        return counter
    }
}
