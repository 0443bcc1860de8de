import CKernels
import Memory

/// The size and format of a matrix, and what it takes when it is packed.
public struct PackedShape: Hashable, Sendable {
    public let format: TensorFormat
    /// Outputs.
    public let rows: Int
    /// Inputs.
    public let columns: Int
    /// Bytes of the row-major matrix in a model file.
    public let sourceByteCount: Int
    /// Bytes as packed: panels of 16 rows, the last of them filled up with zeros.
    public let byteCount: Int
    let panelByteCount: Int

    /// Throws when there is no such matrix: no rows, half a block in a row, more bytes than can be addressed.
    public init(format: TensorFormat, rows: Int, columns: Int) throws(TensorError) {
        guard rows > 0, columns > 0, rows <= Int32.max, columns <= Int32.max else {
            throw TensorError(.invalidSize, "a matrix of \(rows) x \(columns) cannot be packed; both must be 1 or more")
        }
        guard let sourceByteCount = format.byteCount(rows: rows, columns: columns) else {
            throw TensorError(
                .invalidSize,
                "\(columns) columns are not a multiple of \(format.blockElementCount), as \(format.name) needs")
        }
        let panelByteCount = Int(sl_pack_panel_bytes(format.kernelFormat, Int64(columns)))
        let panelCount = (rows + Int(SL_PANEL_ROWS) - 1) / Int(SL_PANEL_ROWS)
        let (byteCount, overflow) = panelByteCount.multipliedReportingOverflow(by: panelCount)
        guard !overflow else {
            throw TensorError(.invalidSize, "a \(format.name) matrix of \(rows) x \(columns) is too large")
        }
        self.format = format
        self.rows = rows
        self.columns = columns
        self.sourceByteCount = sourceByteCount
        self.byteCount = byteCount
        self.panelByteCount = panelByteCount
    }

    var panelCount: Int { byteCount / panelByteCount }
    var sourceRowByteCount: Int { sourceByteCount / rows }
}

extension PackedShape {
    /// The exact values of a matrix of one row, such as a norm's weights.
    ///
    /// - Parameters:
    ///   - source: the row as it stands in a model file.
    ///   - values: room for `columns` values.
    /// - Throws: when a value is not finite or there is no memory.
    public func dequantizeRow(
        _ source: UnsafeRawBufferPointer, into values: UnsafeMutablePointer<Float>
    ) throws(TensorError) {
        precondition(rows == 1 && source.count == sourceByteCount, "a row of \(sourceByteCount) bytes is needed")
        let panel: AlignedBuffer
        do { panel = try AlignedBuffer(byteCount: panelByteCount) } catch {
            throw TensorError(.outOfMemory, "no memory for a row: \(error.message)")
        }
        let bytes = panel.pointer(to: UInt8.self)
        let badRow = sl_pack_panel(
            format.kernelFormat, source.baseAddress?.assumingMemoryBound(to: UInt8.self), 1, Int64(columns), bytes)
        guard badRow < 0 else { throw TensorError.nonFinite(row: 0, format) }
        sl_pack_unpack_row(format.kernelFormat, bytes, 0, Int64(columns), values)
    }
}
