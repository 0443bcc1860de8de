import CKernels
import Tensors

/// A row of a file's matrix as the format's definition says it, written without regard to the packed layout.
func dequantised(_ bytes: [UInt8], _ format: TensorFormat, row: Int, columns: Int) -> [Float] {
    guard !format.isQuantised else { return fileRow(bytes, format, row: row, columns: columns).values }
    let size = format.blockByteCount
    return (row * columns..<(row + 1) * columns).map { index in
        let pattern = (0..<size).reduce(UInt32(0)) { $0 | UInt32(bytes[index * size + $1]) << (8 * UInt32($1)) }
        return switch format {
        case .f16: Float(Float16(bitPattern: UInt16(pattern)))
        case .bf16: Float(bitPattern: pattern << 16)
        default: Float(bitPattern: pattern)
        }
    }
}

/// A row of a quantised matrix.
func fileRow(_ bytes: [UInt8], _ format: TensorFormat, row: Int, columns: Int) -> FileRow {
    let rowByteCount = columns / format.blockElementCount * format.blockByteCount
    return FileRow(bytes[row * rowByteCount..<(row + 1) * rowByteCount], format)
}

/// The products of a file's matrix with rows of `x` ([row][column]), step by step as docs/numerics.md has them:
/// [activation row][matrix row].
func referenceProduct(
    _ bytes: [UInt8], _ format: TensorFormat, rows: Int, columns: Int, _ x: [Float], addingTo old: [Float]? = nil
) -> [Float] {
    let activationRows = x.count / columns
    var output = [Float](repeating: 0, count: activationRows * rows)
    let blocks = (0..<activationRows).map { row in
        format.isQuantised ? ActivationBlock.row(x[row * columns..<(row + 1) * columns]) : []
    }
    for n in 0..<rows {
        let weights = format.isQuantised ? fileRow(bytes, format, row: n, columns: columns) : nil
        let values = format.isQuantised ? [] : dequantised(bytes, format, row: n, columns: columns)
        for r in 0..<activationRows {
            let product =
                weights?.product(blocks[r])
                ?? values.indices.reduce(Float(0)) { $0.addingProduct(values[$1], x[r * columns + $1]) }
            let at = r * rows + n
            output[at] = old.map { $0[at] + product } ?? product
        }
    }
    return output
}

extension ComputeContext {
    func pack(_ bytes: [UInt8], _ format: TensorFormat, rows: Int, columns: Int) throws -> PackedMatrix {
        try bytes.withUnsafeBytes { try pack($0, format: format, rows: rows, columns: columns) }
    }

    /// rows x matrix.rows products of `x` ([row][column]).
    func product(_ matrix: PackedMatrix, _ x: [Float], rows: Int, addingTo old: [Float]? = nil) throws -> [Float] {
        let activations = try makeActivations(rowCountMax: rows, columns: matrix.columns, formats: [matrix.format])
        load(x, rows: rows, into: activations)
        return product(matrix, activations, addingTo: old)
    }

    /// The same for activations that are there already.
    func product(_ matrix: PackedMatrix, _ activations: Activations, addingTo old: [Float]? = nil) -> [Float] {
        var output = old ?? [Float](repeating: .nan, count: activations.rows * matrix.rows)
        output.withUnsafeMutableBufferPointer { output in
            guard let base = output.baseAddress else { return }
            multiply(
                activations, Product(matrix, into: base, stride: matrix.rows), epilogue: old == nil ? .store : .add)
        }
        return output
    }
}
