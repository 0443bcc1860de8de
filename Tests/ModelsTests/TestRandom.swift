/// SplitMix64: the same numbers from the same seed everywhere.
struct TestRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// A text of up to `countMax` characters out of every corner of Unicode, with runs of blanks, digits and words.
    mutating func text(countMax: Int) -> String {
        var scalars = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...countMax, using: &self) {
            let value: UInt32
            switch Int.random(in: 0..<12, using: &self) {
            case 0...3: value = UInt32.random(in: 0x61...0x7A, using: &self)
            case 4:
                value =
                    [0x20, 0x20, 0x20, 0x0A, 0x0D, 0x09, 0x85, 0xA0, 0x2003, 0x200B].randomElement(using: &self) ?? 0
            case 5: value = UInt32.random(in: 0x20...0x40, using: &self)
            case 6: value = UInt32.random(in: 0...0x7F, using: &self)
            case 7: value = UInt32.random(in: 0x80...0x2FF, using: &self)
            case 8: value = UInt32.random(in: 0x300...0xFFFF, using: &self)
            case 9: value = UInt32.random(in: 0x1F300...0x1FAFF, using: &self)
            case 10: value = UInt32.random(in: 0...0x10FFFF, using: &self)
            default: value = [0x27, 0x73, 0x74, 0x53, 0x4C, 0x2019, 0xBD, 0x2167].randomElement(using: &self) ?? 0
            }
            if let scalar = Unicode.Scalar(value) { scalars.append(scalar) }
        }
        return String(scalars)
    }
}
