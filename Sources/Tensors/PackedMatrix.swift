import CKernels
public import Memory

/// Weights in the layout that every instruction set reads (docs/numerics.md): panels of 16 rows. Immutable.
public final class PackedMatrix: Sendable {
    public let shape: PackedShape
    /// The packed bytes: the same for the same weights on every machine.
    public let bytes: BufferSlice

    init(shape: PackedShape, bytes: BufferSlice) {
        self.shape = shape
        self.bytes = bytes
    }

    public var format: TensorFormat { shape.format }
    /// Outputs.
    public var rows: Int { shape.rows }
    /// Inputs.
    public var columns: Int { shape.columns }
    /// Bytes as packed.
    public var byteCount: Int { shape.byteCount }

    var panelByteCount: Int { shape.panelByteCount }
    var panelCount: Int { shape.panelCount }

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
