import Foundation

/// Steele, Lea and Flood's SplitMix64: small, seeded, and the same on every platform.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    /// Streams of one seed are independent of each other.
    init(seed: UInt64, stream: UInt64) {
        state = seed
        state = next() ^ (stream &* 0xD134_2543_DE82_EF95)
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// At least 0 and less than 1.
    mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Of the exponential distribution whose mean is 1.
    mutating func nextExponential() -> Double { -log(1 - nextUnit()) }

    /// At least 0 and less than `bound`, which is at least 1.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
