import Memory
import Models
public import Tensors
public import Vocabulary

/// One stage's compute state: its KV cache, what it must know of sequences to sample for them, and its workspace.
///
/// What a stage keeps of a sequence is addressed by position: running rows again from an earlier position overwrites
/// what
/// was there and gives the same. A row's bits depend on its sequence's tokens only, never on the batch around it.
///
/// `@unchecked Sendable`: a runner may be handed from thread to thread, but only one thread at a time may use it, the
/// one
/// that drives its context.
public final class StageRunner: @unchecked Sendable {
    public let weights: StageWeights
    public let blockCount: Int
    public let rowCountMax: Int
    /// Positions at or beyond it are refused: the model's context, or what the KV cache can hold if that is less.
    public let positionCountMax: Int

    let context: ComputeContext
    let geometry: AttentionGeometry
    let pool: KeyValuePool
    let workspace: Workspace
    let rotaryTable: RotaryTable
    let attentionScale: Float
    let endTokens: [TokenID]
    var plan = StagePlan()
    var rowResults: [HeadRowResult]
    /// The last step's outputs. Whoever got them is done with them by the next step, which then uses the storage again.
    var outputs: [SequenceOutput] = []
    private var seen = BatchCheck.Seen()
    private var histories: [SequenceID: Remembered] = [:]

    /// A history that changes in its place: changing a dictionary's value there allocates.
    private final class Remembered {
        var history: TokenHistory
        init(_ history: TokenHistory) { self.history = history }
    }

    /// - Parameters:
    ///   - blockCount: blocks of 32 positions in the KV cache; ids are 0 ..< blockCount.
    ///   - rowCountMax: the most rows of a step.
    ///   - endTokens: the model's end-of-generation tokens (`ModelProfile.endTokens`), for `suppressesEnd`.
    /// - Throws: `InferenceError` when there is not memory enough or the sizes make no sense.
    public init(
        weights: StageWeights, context: ComputeContext, blockCount: Int, rowCountMax: Int, endTokens: [TokenID]
    ) throws(InferenceError) {
        guard (1...1 << 26).contains(blockCount), (1...1 << 16).contains(rowCountMax) else {
            throw InferenceError(
                .invalidStage,
                "a stage of \(blockCount) KV blocks and \(rowCountMax) rows a step cannot be made; give 1 "
                    + "to \(1 << 26) blocks and 1 to \(1 << 16) rows")
        }
        let model = weights.description
        self.weights = weights
        self.context = context
        self.blockCount = blockCount
        self.rowCountMax = rowCountMax
        self.endTokens = endTokens.filter { $0 >= 0 && Int($0) < model.vocabularySize }
        positionCountMax = min(model.contextLength, blockCount * BlockID.positionCount)
        attentionScale = 1 / Float(model.headSize).squareRoot()
        do {
            geometry = try Self.geometry(of: model)
            rotaryTable = try RotaryTable(
                rotaryDimension: model.rotaryDimension, base: model.rotaryBase, positionCount: positionCountMax,
                pairing: model.rotaryPairing == .interleaved ? .interleaved : .halves,
                frequencyFactors: model.rotaryFrequencyFactors)
        } catch {
            let kind: InferenceError.Kind = error.kind == .outOfMemory ? .outOfMemory : .unsuitableModel
            throw InferenceError(kind, "\(model.name): \(error.message)")
        }
        pool = try KeyValuePool(
            blockCount: blockCount, layerCount: weights.units.layers.count, geometry: geometry,
            placement: weights.placement == .anywhere ? context.sharedPlacement : weights.placement)
        workspace = try Workspace(weights: weights, context: context, rowCountMax: rowCountMax)
        rowResults = Array(repeating: HeadRowResult(), count: workspace.headRowCountMax)
    }

    public var kvByteCount: Int { pool.byteCount }

    /// Sequences of which something is remembered for sampling.
    package var rememberedSequenceCount: Int { histories.count }

    private static func geometry(of model: ModelDescription) throws(TensorError) -> AttentionGeometry {
        try AttentionGeometry(
            headCount: model.headCount, kvHeadCount: model.kvHeadCount, headSize: model.headSize)
    }

    /// Computes a step.
    ///
    /// - Parameters:
    ///   - input: (rows, hiddenSize) hidden states of the stage before; nil when this stage has the embedding.
    ///   - output: (rows, hiddenSize) where the hidden states go; nil when this stage has the head.
    /// - Returns: with the head, one output for each sequence that samples or scores, in the step's order; else none.
    /// - Throws: `InferenceError` of kind `invalidBatch` when the batch makes no sense; then nothing has changed.
    public func run(
        _ batch: StageBatch, input: UnsafePointer<Float>?, output: UnsafeMutablePointer<Float>?
    ) throws(InferenceError) -> [SequenceOutput] {
        let check = BatchCheck(
            rowCountMax: rowCountMax, blockCount: blockCount, positionCountMax: positionCountMax,
            vocabularySize: weights.description.vocabularySize, hasHead: weights.units.hasHead)
        let rowCount = try check.rowCount(of: batch, seen: &seen, history: { histories[$0]?.history })
        guard rowCount > 0 else {
            remember(batch.step)
            return []
        }
        guard weights.units.hasEmbedding || input != nil else {
            throw InferenceError(.invalidBatch, "this stage has no embedding, and no hidden states were given to it")
        }
        guard let hidden = weights.units.hasHead ? workspace.hidden : output else {
            throw InferenceError(
                .invalidBatch, "this stage has no head, and no place for hidden states was given to it")
        }
        remember(batch.step)
        plan.set(
            batch, pool: pool, positions: workspace.positions, tokens: workspace.tokens,
            hasHead: weights.units.hasHead)
        if weights.units.hasEmbedding {
            embed(into: hidden)
        } else if let input {
            hidden.update(from: input, count: rowCount * weights.description.hiddenSize)
        }
        runLayers(hidden)
        outputs.removeAll(keepingCapacity: true)
        if weights.units.hasHead { runHead(hidden, step: batch.step) }
        context.rest()
        return outputs
    }

    func history(of sequence: SequenceID) -> TokenHistory? { histories[sequence]?.history }

    private func remember(_ step: Step) {
        guard weights.units.hasHead else { return }
        for sequence in step.ended { histories[sequence] = nil }
        for rows in step.sequences {
            if let introduction = rows.introduction {
                histories[rows.sequence] = Remembered(TokenHistory(introduction))
            }
            histories[rows.sequence]?.history.record(rows.tokens, at: rows.firstPosition)
        }
    }
}
