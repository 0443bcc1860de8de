import Memory
import Tensors

/// A norm's weights or a bias, as float32.
struct WeightVector: Sendable {
    let count: Int
    private let buffer: AlignedBuffer

    /// - Parameter row: a matrix of one row.
    init(_ row: PackedMatrix) throws(MemoryError) {
        count = row.columns
        buffer = try AlignedBuffer(byteCount: row.columns * MemoryLayout<Float>.stride)
        row.dequantizeRow(0, into: buffer.pointer())
    }

    /// Valid while the vector lives.
    var values: UnsafePointer<Float> { UnsafePointer(buffer.pointer()) }
    var byteCount: Int { buffer.byteCount }
}
