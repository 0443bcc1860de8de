import Memory
import ModelWriting
import Tensors

/// Attention of some rows of one sequence over its cache, layer after layer: keys and values come out of memory.
final class AttentionBenchmark {
    let geometry: AttentionGeometry
    let positionCount: Int
    let rowCount: Int
    private let context: ComputeContext
    private let cache: AlignedBuffer
    private let queries: AlignedBuffer
    private let output: AlignedBuffer
    private let layers: [[UnsafeMutableRawPointer]]
    private var nextLayer = 0

    /// Bytes of one layer's keys and values.
    var layerByteCount: Int { blockCount * geometry.blockByteCount }
    private var blockCount: Int {
        (positionCount + AttentionGeometry.blockPositionCount - 1) / AttentionGeometry.blockPositionCount
    }

    /// - Parameters:
    ///   - positionCount: positions of the sequence; the rows are its last.
    ///   - cache: f16 values; see `cache(byteCount:context:)`. Its layers are as many as fit.
    init(
        geometry: AttentionGeometry, positionCount: Int, rowCount: Int, cache: AlignedBuffer, context: ComputeContext
    ) throws {
        self.geometry = geometry
        self.positionCount = positionCount
        self.rowCount = rowCount
        self.cache = cache
        self.context = context
        let queryCount = rowCount * geometry.headCount * geometry.headSize
        queries = try AlignedBuffer(byteCount: queryCount * MemoryLayout<Float>.stride)
        output = try AlignedBuffer(byteCount: queryCount * MemoryLayout<Float>.stride)
        var random = NormalSource(seed: 3, stream: 0)
        random.fill(queries.pointer(), count: queryCount, spread: 1)
        let positions = AttentionGeometry.blockPositionCount
        let blocks = (positionCount + positions - 1) / positions
        let layerCount = max(1, cache.byteCount / (blocks * geometry.blockByteCount))
        layers = (0..<layerCount).map { layer in
            (0..<blocks).map { cache.base + (layer * blocks + $0) * geometry.blockByteCount }
        }
    }

    /// Random keys and values, normal with a standard deviation of 1.
    static func cache(byteCount: Int, context: ComputeContext) throws -> AlignedBuffer {
        let buffer = try AlignedBuffer(byteCount: byteCount, hugePages: true)
        let pieceElements = 1 << 16
        let target = buffer.pointer(to: UInt8.self)
        context.parallel(tileCount: byteCount / 2 / pieceElements) { piece in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: pieceElements) { values in
                guard let base = values.baseAddress else { return }
                var random = NormalSource(seed: 4, stream: UInt64(piece))
                random.fill(base, count: pieceElements, spread: 1)
                BlockEncoder(.f16).encode(base, count: pieceElements, into: target + 2 * piece * pieceElements)
            }
        }
        return buffer
    }

    /// Seconds of `layerCount` layers, each with a cache of its own while there are any.
    private func seconds(layerCount: Int) -> Double {
        let stride = geometry.headCount * geometry.headSize
        let scale = 1 / Float(geometry.headSize).squareRoot()
        let seconds = Stopwatch.seconds {
            for _ in 0..<layerCount {
                layers[nextLayer].withUnsafeBufferPointer { blocks in
                    guard let base = blocks.baseAddress else { return }
                    let span = AttentionSpan(
                        rowOffset: 0, rowCount: rowCount, firstPosition: positionCount - rowCount, blocks: base)
                    withUnsafePointer(to: span) { span in
                        context.attend(
                            queries: queries.pointer(), rowStride: stride,
                            sequences: UnsafeBufferPointer(start: span, count: 1), geometry: geometry, scale: scale,
                            output: output.pointer(), outputStride: stride)
                    }
                }
                nextLayer = (nextLayer + 1) % layers.count
            }
        }
        context.rest()
        return seconds
    }

    /// Bytes of keys and values a second, each counted once for all rows, and multiply-adds a second.
    func rates(secondsWanted: Double) -> (bytesPerSecond: Double, multiplyAddsPerSecond: Double) {
        let one = seconds(layerCount: 1)
        let count = min(max(Int(secondsWanted / one), 1), 4 * layers.count)
        let layerSeconds = seconds(layerCount: count) / Double(count)
        let seen = (0..<rowCount).reduce(0) { $0 + positionCount - $1 }
        let multiplyAdds = 2 * seen * geometry.headCount * geometry.headSize
        return (Double(layerByteCount) / layerSeconds, Double(multiplyAdds) / layerSeconds)
    }
}
