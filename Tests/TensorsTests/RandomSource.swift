import CKernels
import Tensors

/// Reproducible random numbers (SplitMix64).
struct RandomSource: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func value(_ range: ClosedRange<Float> = -1...1) -> Float { .random(in: range, using: &self) }

    mutating func values(_ count: Int, _ range: ClosedRange<Float> = -1...1) -> [Float] {
        (0..<count).map { _ in value(range) }
    }

    /// Rows as hidden states look: most values small, a few large, some exactly zero, some blocks all zero.
    mutating func activations(_ count: Int) -> [Float] {
        var values = (0..<count).map { _ in
            let size = Int.random(in: 0..<20, using: &self)
            return size == 0 ? 0 : size == 1 ? value(-60...60) : value()
        }
        for block in 0..<count / 32 where Int.random(in: 0..<24, using: &self) == 0 {
            for k in 0..<32 { values[block * 32 + k] = 0 }
        }
        return values
    }

    /// Scales of quantised matrices.
    enum Scales {
        /// As real weights have them, so that results stay in a moderate range.
        case moderate
        /// Any finite halves: zeros, subnormals, huge ones, of either sign.
        case wild
    }

    /// A row-major matrix in a file's format, with finite scales; the other fields are any bits.
    mutating func matrixBytes(
        _ format: TensorFormat, rows: Int, columns: Int, scales: Scales = .moderate
    ) -> [UInt8] {
        guard format.isQuantised else { return floatBytes(format, count: rows * columns) }
        let blockCount = rows * columns / format.blockElementCount
        var bytes = bytes(blockCount * format.blockByteCount)
        // A scale of a K format is multiplied by the group's own, up to 63 or 128 in size.
        let size: Float = format.blockElementCount == 32 ? 1 : 0.02
        for block in 0..<blockCount {
            for (index, offset) in format.halfOffsets.enumerated() {
                let half =
                    switch scales {
                    case .moderate: Float16(value(index == 0 ? -0.02...0.02 : -0.2...0.2) * size).bitPattern
                    case .wild: finiteHalf()
                    }
                let at = block * format.blockByteCount + offset
                bytes[at] = UInt8(truncatingIfNeeded: half)
                bytes[at + 1] = UInt8(truncatingIfNeeded: half >> 8)
            }
        }
        return bytes
    }

    private mutating func finiteHalf() -> UInt16 {
        let special: [UInt16] = [0, 0x8000, 1, 0x8001, 0x3ff, 0x83ff, 0x400, 0x7bff, 0xfbff]
        if Bool.random(using: &self) { return special[Int.random(in: 0..<special.count, using: &self)] }
        let half = UInt16.random(in: 0...UInt16.max, using: &self)
        return half & 0x7c00 == 0x7c00 ? half & 0x83ff : half
    }

    private mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
            for start in stride(from: 0, to: count, by: 8) {
                let word = next()
                for index in start..<Swift.min(start + 8, count) {
                    buffer.initializeElement(at: index, to: UInt8(truncatingIfNeeded: word >> (8 * UInt64(index % 8))))
                }
            }
            initializedCount = count
        }
    }

    private mutating func floatBytes(_ format: TensorFormat, count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * format.blockByteCount)
        for _ in 0..<count {
            let value = value()
            let pattern =
                switch format {
                case .f16: UInt32(Float16(value).bitPattern)
                case .bf16: value.bitPattern >> 16
                default: value.bitPattern
                }
            for index in 0..<UInt32(format.blockByteCount) {
                bytes.append(UInt8(truncatingIfNeeded: pattern >> (8 * index)))
            }
        }
        return bytes
    }
}

/// Bits, with every NaN the same: which NaN an operation gives is not part of the arithmetic.
func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

/// Where and how values first differ from what is expected, in their bits; nil when they do not. (Comparing whole arrays
/// in an expectation makes a failure take minutes: the arrays' difference is searched for.)
func difference(_ found: some Collection<Float>, _ expected: some Collection<Float>) -> String? {
    guard found.count == expected.count else { return "\(found.count) values, not \(expected.count)" }
    for (index, (value, wanted)) in zip(found, expected).enumerated() where value.bitPattern != wanted.bitPattern {
        if !value.isNaN || !wanted.isNaN { return "value \(index) is \(value), not \(wanted)" }
    }
    return nil
}

/// The instruction sets that are held against the scalar one.
let vectorSets = InstructionSet.available.filter { $0 != .scalar }

/// A set's table of kernels, by its name.
func kernels(_ set: InstructionSet) throws -> sl_kernels {
    for index in 0..<SL_ISA_COUNT.rawValue {
        guard let table = sl_kernels_find(sl_isa(index)) else { continue }
        if String(cString: table.pointee.name) == set.rawValue { return table.pointee }
    }
    throw TensorError(.unsupported, "\(set) is not available")
}
