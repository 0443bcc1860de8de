import CKernels
import Tensors

/// A row of a file's matrix as the format's definition says it, written without regard to the packed layout.
func dequantised(_ bytes: [UInt8], _ format: TensorFormat, row: Int, columns: Int) -> [Float] {
    let rowByteCount = columns / format.blockElementCount * format.blockByteCount
    func half(_ at: Int) -> Float { sl_half_to_float(UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8) }
    return (0..<columns).map { k in
        let block = row * rowByteCount + k / format.blockElementCount * format.blockByteCount
        let i = k % format.blockElementCount
        switch format {
        case .f32:
            return Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[block + $1]) << (8 * UInt32($1)) })
        case .f16: return half(block)
        case .bf16: return Float(bitPattern: UInt32(bytes[block]) << 16 | UInt32(bytes[block + 1]) << 24)
        case .q8_0: return half(block) * Float(Int8(bitPattern: bytes[block + 2 + i]))
        case .q4_0, .q4_1:
            let byte = bytes[block + (format == .q4_0 ? 2 : 4) + i % 16]
            let nibble = Int(i < 16 ? byte & 15 : byte >> 4)
            return format == .q4_0 ? half(block) * Float(nibble - 8) : half(block) * Float(nibble) + half(block + 2)
        }
    }
}

extension ComputeContext {
    func pack(_ bytes: [UInt8], _ format: TensorFormat, rows: Int, columns: Int) throws -> PackedMatrix {
        try bytes.withUnsafeBytes { try pack($0, format: format, rows: rows, columns: columns) }
    }

    /// rows x matrix.rows products of `x` ([row][column]).
    func product(_ matrix: PackedMatrix, _ x: [Float], rows: Int, addingTo old: [Float]? = nil) throws -> [Float] {
        let activations = try makeActivations(rowCountMax: rows, columns: matrix.columns, formats: [matrix.format])
        load(x, rows: rows, into: activations)
        var output = old ?? [Float](repeating: .nan, count: rows * matrix.rows)
        output.withUnsafeMutableBufferPointer { output in
            guard let base = output.baseAddress else { return }
            multiply(
                activations, Product(matrix, into: base, stride: matrix.rows), epilogue: old == nil ? .store : .add)
        }
        return output
    }
}
