import CKernels
import Tensors

/// What the tests know of formats, written down apart from the library.
extension TensorFormat {
    static let quantised = allCases.filter { ![.f32, .f16, .bf16].contains($0) }

    /// Where the float16 scales of a block stand in a file, in bytes from its start.
    var halfOffsets: [Int] {
        switch self {
        case .f32, .f16, .bf16: []
        case .q4_0, .q5_0, .q8_0, .iq4_nl: [0]
        case .q4_1, .q5_1, .q4_k, .q5_k: [0, 2]
        case .q2_k: [80, 82]
        case .q3_k: [108]
        case .q6_k: [208]
        }
    }

    var kernelNumber: sl_format {
        switch self {
        case .f32: SL_FORMAT_F32
        case .f16: SL_FORMAT_F16
        case .bf16: SL_FORMAT_BF16
        case .q4_0: SL_FORMAT_Q4_0
        case .q4_1: SL_FORMAT_Q4_1
        case .q5_0: SL_FORMAT_Q5_0
        case .q5_1: SL_FORMAT_Q5_1
        case .q8_0: SL_FORMAT_Q8_0
        case .iq4_nl: SL_FORMAT_IQ4_NL
        case .q2_k: SL_FORMAT_Q2_K
        case .q3_k: SL_FORMAT_Q3_K
        case .q4_k: SL_FORMAT_Q4_K
        case .q5_k: SL_FORMAT_Q5_K
        case .q6_k: SL_FORMAT_Q6_K
        }
    }

    /// `units` of the smallest row that the format can have, of an odd length for float formats.
    func columns(_ units: Int) -> Int { isQuantised ? units * blockElementCount : 32 * units + 5 }
}
