import Memory
import Models
import Tensors
import Vocabulary

/// Everything a stage computes in, allocated once for the largest step. Strides are in floats.
final class Workspace {
    let rowCountMax: Int
    /// (rowCountMax, hiddenSize): hidden states, of a stage with the head.
    let hidden: UnsafeMutablePointer<Float>
    /// (rowCountMax, queryStride): queries, then keys, then values of each row.
    let queries: UnsafeMutablePointer<Float>
    let queryStride: Int
    /// (rowCountMax, headCount * headSize)
    let attention: UnsafeMutablePointer<Float>
    /// (rowCountMax, gateStride): gate, then up of each row.
    let gates: UnsafeMutablePointer<Float>
    let gateStride: Int
    /// (headRowCountMax, logitStride), with the head.
    let logits: UnsafeMutablePointer<Float>
    let logitStride: Int
    /// Rows that go through the head at once; 0 without it.
    let headRowCountMax: Int
    /// (rowCountMax)
    let positions: UnsafeMutablePointer<Int32>
    /// (rowCountMax)
    let tokens: UnsafeMutablePointer<TokenID>
    /// (hiddenSize) columns.
    let hiddenActivations: Activations
    /// (headCount * headSize) columns.
    let attentionActivations: Activations
    /// (feedForwardSize) columns.
    let feedForwardActivations: Activations
    /// One for each row that goes through the head at once.
    let scratches: [SamplerScratch]

    private let buffers: [AlignedBuffer]

    /// Bounds the logits of a long prompt that is scored: it goes through the head in pieces.
    private static let logitByteCountMax = 8 << 20

    init(weights: StageWeights, context: ComputeContext, rowCountMax: Int) throws(InferenceError) {
        let model = weights.description
        let queryCount = model.headCount * model.headSize
        let vocabularySize = model.vocabularySize
        self.rowCountMax = rowCountMax
        queryStride = Self.spread(queryCount + 2 * model.kvHeadCount * model.headSize)
        gateStride = Self.spread(2 * model.feedForwardSize)
        logitStride = Self.spread(vocabularySize)
        headRowCountMax =
            weights.head == nil ? 0 : min(rowCountMax, max(1, Self.logitByteCountMax / (logitStride * 4)))
        do {
            var buffers: [AlignedBuffer] = []
            func floats(_ rows: Int, _ columns: Int) throws(MemoryError) -> UnsafeMutablePointer<Float> {
                let (count, overflow) = rows.multipliedReportingOverflow(by: columns)
                let buffer = try AlignedBuffer(
                    byteCount: overflow || count > Int.max >> 4 ? .max : count * MemoryLayout<Float>.stride,
                    placement: weights.placement, hugePages: true)
                buffers.append(buffer)
                return buffer.pointer()
            }
            hidden = try floats(weights.head == nil ? 0 : rowCountMax, model.hiddenSize)
            queries = try floats(rowCountMax, queryStride)
            attention = try floats(rowCountMax, queryCount)
            gates = try floats(rowCountMax, gateStride)
            logits = try floats(headRowCountMax, logitStride)
            let positionBuffer = try AlignedBuffer(byteCount: rowCountMax * MemoryLayout<Int32>.stride)
            buffers.append(positionBuffer)
            positions = positionBuffer.pointer()
            let tokenBuffer = try AlignedBuffer(byteCount: rowCountMax * MemoryLayout<TokenID>.stride)
            buffers.append(tokenBuffer)
            tokens = tokenBuffer.pointer()
            var scratches: [SamplerScratch] = []
            for _ in 0..<headRowCountMax { scratches.append(try SamplerScratch(vocabularySize: vocabularySize)) }
            self.scratches = scratches
            self.buffers = buffers
        } catch {
            throw InferenceError(.outOfMemory, "no memory for steps of \(rowCountMax) rows: \(error.message)")
        }
        do {
            var hiddenFormats = weights.formats { [$0.query, $0.key, $0.value, $0.gate, $0.up] }
            if let head = weights.head { hiddenFormats.append(head.format) }
            hiddenActivations = try context.makeActivations(
                rowCountMax: rowCountMax, columns: model.hiddenSize, formats: hiddenFormats)
            attentionActivations = try context.makeActivations(
                rowCountMax: rowCountMax, columns: queryCount, formats: weights.formats { [$0.attentionOutput] })
            feedForwardActivations = try context.makeActivations(
                rowCountMax: rowCountMax, columns: model.feedForwardSize, formats: weights.formats { [$0.down] })
        } catch {
            throw InferenceError(
                error.kind == .outOfMemory ? .outOfMemory : .invalidStage,
                "\(model.name): steps of \(rowCountMax) rows cannot be computed: \(error.message)")
        }
    }

    /// A stride of whole cache lines at which rows do not all fall on the same cache sets.
    private static func spread(_ count: Int) -> Int {
        let lines = (count + 15) / 16
        return (lines % 16 == 0 ? lines + 1 : lines) * 16
    }
}
