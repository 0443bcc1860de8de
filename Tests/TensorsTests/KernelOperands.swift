import CKernels
import Memory
import Tensors

/// Rows of activations in both forms, as a set of kernels quantises them; for calling multiplications by themselves.
final class KernelRows {
    let rowCount: Int
    let columns: Int
    private let blocks: AlignedBuffer
    private let values: AlignedBuffer
    private var blockCount: Int { columns / 32 }

    /// - Parameter x: [row][column]
    init(_ x: [Float], columns: Int, _ kernels: sl_kernels) throws {
        rowCount = x.count / columns
        self.columns = columns
        blocks = try AlignedBuffer(byteCount: max(1, rowCount * (columns / 32)) * MemoryLayout<sl_block>.stride)
        values = try AlignedBuffer(byteCount: x.count * 4)
        values.pointer(to: Float.self).update(from: x, count: x.count)
        for row in 0..<(blockCount > 0 ? rowCount : 0) {
            let target = blocks.pointer(to: sl_block.self) + row * blockCount
            kernels.quantize(values.pointer(to: Float.self) + row * columns, Int64(blockCount * 32), target)
        }
    }

    /// Floats before, between and behind the rows of a table of products: as many as a kernel may write too much.
    private static let gap = Int(SL_PANEL_ROWS)

    /// Floats of a table of products.
    static func tableCount(rows: Int, matrixRows: Int) -> Int { gap + rows * (matrixRows + gap) }

    /// Where the product of row `row` and the matrix's row `n` stands in a table.
    static func index(row: Int, n: Int, matrixRows: Int) -> Int { gap + row * (matrixRows + gap) + n }

    /// Rows `rows` times panels `panels` of the matrix, in a whole table of products: what the kernel does not write holds
    /// what `initial` gives for its index.
    func multiply(
        _ kernels: sl_kernels, _ format: TensorFormat, _ matrix: PackedMatrix, rows: Range<Int>, panels: Range<Int>,
        adds: Bool = false, initial: (Int) -> Float
    ) -> [Float] {
        let stride = matrix.rows + Self.gap
        var output = (0..<Self.tableCount(rows: rowCount, matrixRows: matrix.rows)).map(initial)
        var kernelRows = sl_rows(
            columns: Int64(columns), blocks: blocks.pointer(to: sl_block.self), block_stride: Int64(blockCount),
            values: values.pointer(to: Float.self), value_stride: Int64(columns))
        let panelCount = (matrix.rows + Int(SL_PANEL_ROWS) - 1) / Int(SL_PANEL_ROWS)
        var packed = sl_matrix(
            rows: Int64(matrix.rows), columns: Int64(columns),
            panels: matrix.bytes.base.assumingMemoryBound(to: UInt8.self),
            panel_bytes: Int64(matrix.byteCount / panelCount))
        output.withUnsafeMutableBufferPointer { output in
            withUnsafePointer(to: &kernelRows) { kernelRows in
                withUnsafePointer(to: &packed) { packed in
                    var multiplication = sl_multiplication(
                        rows: kernelRows, matrix: packed, output: output.baseAddress! + Self.gap,
                        output_stride: Int64(stride), row_begin: Int64(rows.lowerBound),
                        row_end: Int64(rows.upperBound), panel_begin: Int64(panels.lowerBound),
                        panel_end: Int64(panels.upperBound), adds: adds ? 1 : 0)
                    withUnsafePointer(to: kernels) { sl_kernels_multiply($0, format.kernelNumber)(&multiplication) }
                }
            }
        }
        return output
    }
}
