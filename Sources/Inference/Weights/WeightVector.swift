import Memory
import Tensors

/// A norm's weights or a bias, as float32.
struct WeightVector: Sendable {
    let count: Int
    private let buffer: AlignedBuffer

    /// - Parameters:
    ///   - shape: of a matrix of one row.
    ///   - source: the row as it stands in the model's file.
    init(_ shape: PackedShape, source: UnsafeRawBufferPointer) throws(TensorError) {
        count = shape.columns
        do {
            buffer = try AlignedBuffer(byteCount: shape.columns * MemoryLayout<Float>.stride)
        } catch {
            throw TensorError(.outOfMemory, error.message)
        }
        try shape.dequantizeRow(source, into: buffer.pointer())
    }

    /// Valid while the vector lives.
    var values: UnsafePointer<Float> { UnsafePointer(buffer.pointer()) }
    var byteCount: Int { buffer.byteCount }
}
