/// SplitMix64: the same numbers for the same seed, so that a failing case can be run again.
package struct RandomSource: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    package mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    package mutating func bool() -> Bool { Bool.random(using: &self) }

    /// Small, large and extreme values alike.
    package mutating func wide() -> UInt64 {
        switch int(0...3) {
        case 0: 0
        case 1: UInt64.max
        default: next() >> UInt64(int(0...63))
        }
    }

    package mutating func list<Element>(_ counts: ClosedRange<Int>, _ make: (inout RandomSource) -> Element) -> [Element] {
        let count = int(counts)
        return (0..<count).map { _ in make(&self) }
    }

    package mutating func bytes(_ counts: ClosedRange<Int>) -> [UInt8] { list(counts) { UInt8(truncatingIfNeeded: $0.next()) } }
}
