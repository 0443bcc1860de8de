import Memory
package import Tensors

/// Makes a tensor's values row by row, encodes them over all threads of a context, and writes them in pieces.
package struct TensorStream {
    private static let pieceByteCount = 16 << 20

    let context: ComputeContext
    let tensor: GGUFHeader.Tensor

    package init(context: ComputeContext, tensor: GGUFHeader.Tensor) {
        self.context = context
        self.tensor = tensor
    }

    /// - Parameter makeRow: fills in a row's values; called for each row once, from several threads.
    package func write(to output: GGUFOutput, makeRow: (_ row: Int, UnsafeMutablePointer<Float>) -> Void) throws {
        let rowByteCount = tensor.byteCount / tensor.rows
        let pieceRows = min(tensor.rows, max(1, Self.pieceByteCount / rowByteCount))
        let piece = try AlignedBuffer(byteCount: pieceRows * rowByteCount)
        let tileCount = min(pieceRows, 4 * context.threadCount)
        let encoders = (0..<tileCount).map { _ in BlockEncoder(tensor.format) }
        let values = try AlignedBuffer(byteCount: tileCount * tensor.columns * MemoryLayout<Float>.stride)
        let target = piece.pointer(to: UInt8.self)
        let rowValues = values.pointer(to: Float.self)
        for first in stride(from: 0, to: tensor.rows, by: pieceRows) {
            let count = min(pieceRows, tensor.rows - first)
            context.parallel(tileCount: tileCount) { tile in
                let own = rowValues + tile * tensor.columns
                for row in count * tile / tileCount..<count * (tile + 1) / tileCount {
                    makeRow(first + row, own)
                    encoders[tile].encode(own, count: tensor.columns, into: target + row * rowByteCount)
                }
            }
            try output.append(UnsafeRawBufferPointer(start: piece.base, count: count * rowByteCount))
        }
        withExtendedLifetime(values) {}
    }
}
