import CKernels
public import Memory

/// Weights in the layout that every instruction set reads (docs/numerics.md): panels of 16 rows. Immutable.
public final class PackedMatrix: Sendable {
    public let format: TensorFormat
    /// Outputs.
    public let rows: Int
    /// Inputs.
    public let columns: Int
    /// Bytes as packed.
    public var byteCount: Int { bytes.byteCount }
    /// The packed bytes: the same for the same weights on every machine.
    public let bytes: BufferSlice

    let panelByteCount: Int

    init(format: TensorFormat, rows: Int, columns: Int, panelByteCount: Int, bytes: BufferSlice) {
        self.format = format
        self.rows = rows
        self.columns = columns
        self.panelByteCount = panelByteCount
        self.bytes = bytes
    }

    var panelCount: Int { (rows + Int(SL_PANEL_ROWS) - 1) / Int(SL_PANEL_ROWS) }

    var kernelMatrix: sl_matrix {
        sl_matrix(
            rows: Int64(rows), columns: Int64(columns),
            panels: UnsafePointer(bytes.base.assumingMemoryBound(to: UInt8.self)), panel_bytes: Int64(panelByteCount))
    }

    /// Writes row `row`'s `columns` values, exactly as the file's format defines them.
    public func dequantizeRow(_ row: Int, into values: UnsafeMutablePointer<Float>) {
        precondition(row >= 0 && row < rows, "row \(row) of a matrix of \(rows) rows")
        let panelRows = Int(SL_PANEL_ROWS)
        let panel = bytes.base + row / panelRows * panelByteCount
        sl_pack_unpack_row(
            format.kernelFormat, panel.assumingMemoryBound(to: UInt8.self), Int64(row % panelRows), Int64(columns),
            values)
    }
}
