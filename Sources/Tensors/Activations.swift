import CKernels
import Memory

/// Rows of activations in the forms that packed weights are multiplied with: int8 with a zero point per 32 values for
/// quantised weights, float32 for float weights. Made by a context, filled and read by its operations.
public final class Activations {
    public let rowCountMax: Int
    public let columns: Int
    /// Rows that were filled last.
    public internal(set) var rows = 0
    public var hasQuantisedForm: Bool { blockBuffer != nil }
    public var hasFloatForm: Bool { valueBuffer != nil }

    private let blockBuffer: AlignedBuffer?
    private let valueBuffer: AlignedBuffer?
    let kernelRows: sl_rows

    init(rowCountMax: Int, columns: Int, formats: [TensorFormat]) throws(TensorError) {
        guard rowCountMax > 0, columns > 0, rowCountMax <= 1 << 20, columns <= 1 << 24 else {
            throw TensorError(.invalidSize, "activations of \(rowCountMax) x \(columns) cannot be made")
        }
        let blockCount = columns / Int(SL_BLOCK_COLUMNS)
        let isWhole = columns % Int(SL_BLOCK_COLUMNS) == 0
        let blockStride = Self.spreadStride(blockCount, elementByteCount: MemoryLayout<sl_block>.stride, step: 1)
        let valueStride = Self.spreadStride((columns + 15) / 16 * 16, elementByteCount: 4, step: 16)
        do {
            blockBuffer =
                isWhole && formats.contains(where: \.isQuantised)
                ? try AlignedBuffer(byteCount: rowCountMax * blockStride * MemoryLayout<sl_block>.stride) : nil
            valueBuffer =
                formats.contains { !$0.isQuantised } ? try AlignedBuffer(byteCount: rowCountMax * valueStride * 4) : nil
        } catch {
            throw TensorError(.outOfMemory, "no memory for activations: \(error.message)")
        }
        self.rowCountMax = rowCountMax
        self.columns = columns
        kernelRows = sl_rows(
            columns: Int64(columns),
            blocks: blockBuffer?.base.bindMemory(to: sl_block.self, capacity: rowCountMax * blockStride),
            block_stride: Int64(blockStride),
            values: valueBuffer?.base.bindMemory(to: Float.self, capacity: rowCountMax * valueStride),
            value_stride: Int64(valueStride))
    }

    /// The least stride of at least `count` elements at which a group of rows does not fall on the same cache sets.
    private static func spreadStride(_ count: Int, elementByteCount: Int, step: Int) -> Int {
        let setSpan = 4096
        var stride = count
        while true {
            let collides = (1..<Int(SL_QUERY_GROUP)).contains { row in
                let offset = row * stride * elementByteCount % setSpan
                return min(offset, setSpan - offset) < 128
            }
            if !collides || stride * elementByteCount < 256 { return stride }
            stride += step
        }
    }
}
