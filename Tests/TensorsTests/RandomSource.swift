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

    /// A row-major matrix in a file's format, with finite scales.
    mutating func matrixBytes(_ format: TensorFormat, rows: Int, columns: Int) -> [UInt8] {
        var bytes = [UInt8]()
        func append(_ h: UInt16) {
            bytes.append(UInt8(truncatingIfNeeded: h))
            bytes.append(UInt8(truncatingIfNeeded: h >> 8))
        }
        for _ in 0..<rows * columns / format.blockElementCount {
            switch format {
            case .f32: withUnsafeBytes(of: value().bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
            case .f16: append(sl_half_from_float(value()))
            case .bf16: append(UInt16(truncatingIfNeeded: value().bitPattern >> 16))
            case .q4_0, .q4_1, .q8_0:
                append(sl_half_from_float(value(-0.02...0.02)))
                if format == .q4_1 { append(sl_half_from_float(value(-0.2...0.2))) }
                for _ in 0..<(format == .q8_0 ? 32 : 16) { bytes.append(.random(in: 0...255, using: &self)) }
            }
        }
        return bytes
    }
}

/// Bits, with every NaN the same: which NaN an operation gives is not part of the arithmetic.
func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern } }

/// The instruction sets that are held against the scalar one.
let vectorSets = InstructionSet.available.filter { $0 != .scalar }

func kernels(_ set: InstructionSet) throws -> sl_kernels {
    let isa: sl_isa =
        switch set {
        case .scalar: SL_ISA_SCALAR
        case .avx2: SL_ISA_AVX2
        case .avx512: SL_ISA_AVX512
        case .avx512vnni: SL_ISA_AVX512_VNNI
        }
    guard let table = sl_kernels_find(isa) else { throw TensorError(.unsupported, "\(set) is not available") }
    return table.pointee
}
