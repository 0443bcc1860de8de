import Memory
import ModelWriting
import Tensors

/// Products of one weight format, of as many matrices as a model has: what is multiplied comes out of memory.
final class MultiplyBenchmark {
    /// (rows, columns) of each matrix: the feed-forward network of a model of a billion weights.
    static let rows = 8192
    static let columns = 2048

    let format: TensorFormat
    private let context: ComputeContext
    private let matrices: [PackedMatrix]
    private let activations: Activations
    private let output: AlignedBuffer
    private let input: AlignedBuffer
    private var nextMatrix = 0

    /// Of all matrices, as they lie in a file.
    var weightByteCount: Int { matrices.count * fileByteCount }
    private var fileByteCount: Int { format.byteCount(rows: Self.rows, columns: Self.columns) ?? 0 }

    /// - Parameters:
    ///   - matrices: of `format`; see `matrices(format:byteCountMin:context:)`.
    ///   - rowCountMax: the most rows of activations that will be asked for.
    init(matrices: [PackedMatrix], format: TensorFormat, rowCountMax: Int, context: ComputeContext) throws {
        self.matrices = matrices
        self.format = format
        self.context = context
        activations = try context.makeActivations(
            rowCountMax: rowCountMax, columns: Self.columns, formats: [format])
        output = try AlignedBuffer(byteCount: rowCountMax * Self.rows * MemoryLayout<Float>.stride, hugePages: true)
        input = try AlignedBuffer(byteCount: rowCountMax * Self.columns * MemoryLayout<Float>.stride)
        var random = NormalSource(seed: 2, stream: 0)
        random.fill(input.pointer(), count: rowCountMax * Self.columns, spread: 1)
    }

    /// Matrices of random weights, together at least `byteCountMin`.
    static func matrices(format: TensorFormat, byteCountMin: Int, context: ComputeContext) throws -> [PackedMatrix] {
        guard let byteCount = format.byteCount(rows: rows, columns: columns) else { return [] }
        let source = try AlignedBuffer(byteCount: byteCount)
        let target = source.pointer(to: UInt8.self)
        let rowByteCount = byteCount / rows
        let rowsPerTile = 64
        context.parallel(tileCount: rows / rowsPerTile) { tile in
            let encoder = BlockEncoder(format)
            withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { values in
                guard let base = values.baseAddress else { return }
                for row in tile * rowsPerTile..<(tile + 1) * rowsPerTile {
                    var random = NormalSource(seed: 1, stream: UInt64(row))
                    random.fill(base, count: columns, spread: RandomLlama.spread)
                    encoder.encode(base, count: columns, into: target + row * rowByteCount)
                }
            }
        }
        let bytes = UnsafeRawBufferPointer(start: source.base, count: byteCount)
        let count = (byteCountMin + byteCount - 1) / byteCount
        defer { context.finishPacking() }
        return try (0..<count).map { _ in try context.pack(bytes, format: format, rows: rows, columns: columns) }
    }

    /// Seconds of products of `rowCount` rows with the next `matrixCount` matrices in turn.
    func seconds(rowCount: Int, matrixCount: Int) -> Double {
        context.load(input.pointer(), rows: rowCount, into: activations)
        let seconds = Stopwatch.seconds {
            for _ in 0..<matrixCount {
                context.multiply(
                    activations, Product(matrices[nextMatrix], into: output.pointer(), stride: Self.rows))
                nextMatrix = (nextMatrix + 1) % matrices.count
            }
        }
        context.rest()
        return seconds
    }

    /// Bytes of weights a second with one row.
    func decodeRate() -> Double {
        Double(weightByteCount) / seconds(rowCount: 1, matrixCount: matrices.count)
    }

    /// Multiply-adds a second, of a pass that takes about `secondsWanted`.
    func multiplyRate(rowCount: Int, secondsWanted: Double) -> Double {
        let multiplyAdds = Double(Self.rows * Self.columns * rowCount)
        let one = seconds(rowCount: rowCount, matrixCount: 1)
        let count = min(max(Int(secondsWanted / one), 1), 4 * matrices.count)
        return multiplyAdds * Double(count) / seconds(rowCount: rowCount, matrixCount: count)
    }
}
