import CKernels

/// A set of kernels. All give the same bits; they differ in speed.
public enum InstructionSet: String, Sendable, CaseIterable, Hashable {
    /// One value at a time: the oracle of the others.
    case scalar
    /// AVX2 with FMA and F16C.
    case avx2
    /// The same with byte dot products (AVX-VNNI).
    case avxvnni
    /// AVX-512 F, BW, VL and DQ.
    case avx512
    /// The same with byte dot products (AVX-512 VNNI).
    case avx512vnni
    /// The same with tile registers for products of bytes (AMX).
    case amx
    /// NEON with byte dot products, on ARM.
    case neon

    /// Those that this processor can run, slowest first.
    public static var available: [InstructionSet] {
        allCases.filter { sl_kernels_find($0.kernelSet) != nil }
    }

    public static var best: InstructionSet { available.last ?? .scalar }

    var kernelSet: sl_isa {
        switch self {
        case .scalar: SL_ISA_SCALAR
        case .avx2: SL_ISA_AVX2
        case .avxvnni: SL_ISA_AVX_VNNI
        case .avx512: SL_ISA_AVX512
        case .avx512vnni: SL_ISA_AVX512_VNNI
        case .amx: SL_ISA_AMX
        case .neon: SL_ISA_NEON
        }
    }

    /// A rough rate of one thread, for cutting operations into tiles.
    var multiplyAddsPerNanosecond: Double {
        switch self {
        case .scalar: 2
        case .avx2, .neon: 70
        case .avxvnni: 120
        case .avx512: 100
        case .avx512vnni, .amx: 200
        }
    }

    /// The same for float32 arithmetic.
    var floatMultiplyAddsPerNanosecond: Double {
        switch self {
        case .scalar: 1
        case .avx2, .avxvnni, .neon: 25
        case .avx512, .avx512vnni, .amx: 45
        }
    }
}
