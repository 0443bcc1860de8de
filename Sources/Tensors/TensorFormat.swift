import CKernels

/// How a tensor's values are stored in a model file. Raw values are ggml's type numbers.
public enum TensorFormat: UInt32, Sendable, CaseIterable, Hashable {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q2_k = 10
    case q3_k = 11
    case q4_k = 12
    case q5_k = 13
    case q6_k = 14
    case iq4_nl = 20
    case bf16 = 30

    public var name: String { Self.name(ofTypeNumber: rawValue) }

    public var isQuantised: Bool { blockElementCount > 1 }

    /// Values that are stored together: 32, 256 for the K formats, or 1 for the float formats. A row is a whole number
    /// of blocks.
    public var blockElementCount: Int {
        switch self {
        case .f32, .f16, .bf16: 1
        case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .iq4_nl: 32
        case .q2_k, .q3_k, .q4_k, .q5_k, .q6_k: 256
        }
    }

    /// Bytes of a block in a file.
    public var blockByteCount: Int {
        switch self {
        case .f32: 4
        case .f16, .bf16: 2
        case .q4_0, .iq4_nl: 18
        case .q4_1: 20
        case .q5_0: 22
        case .q5_1: 24
        case .q8_0: 34
        case .q2_k: 84
        case .q3_k: 110
        case .q4_k: 144
        case .q5_k: 176
        case .q6_k: 210
        }
    }

    /// Bytes of a row-major matrix; nil when a row is not a whole number of blocks or the size overflows.
    public func byteCount(rows: Int, columns: Int) -> Int? {
        guard rows >= 0, columns >= 0, columns % blockElementCount == 0 else { return nil }
        let (rowBytes, rowOverflow) = (columns / blockElementCount).multipliedReportingOverflow(by: blockByteCount)
        let (bytes, overflow) = rowBytes.multipliedReportingOverflow(by: rows)
        return rowOverflow || overflow ? nil : bytes
    }

    /// The usual name of a type number of a model file, supported or not.
    public static func name(ofTypeNumber number: UInt32) -> String {
        typeNames[number] ?? "type \(number)"
    }

    private static let typeNames: [UInt32: String] = [
        0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
        12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
        20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
        29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
    ]

    var kernelFormat: sl_format {
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
}
