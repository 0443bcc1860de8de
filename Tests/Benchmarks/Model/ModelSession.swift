import Inference
import ModelWriting
import Models
import Tensors
import Vocabulary

/// A whole model in this process, and the works that are measured of it. Tokens are random, as those of other programs'
/// benchmarks; the likeliest token is found after each step, but not used.
final class ModelSession {
    /// Positions that each sequence of a batch has before its tokens are timed.
    static let batchPromptLength = 16
    /// The most rows of a step: what a prompt is cut into.
    static let rowCountMax = 512

    let context: ComputeContext
    /// Tokens that are timed of a sequence.
    let tokenCount: Int
    private let runner: StageRunner
    private let vocabularySize: Int
    private var random: NormalSource
    private var stepNumber = StepNumber.first
    /// Of the one long sequence, then of each sequence of the largest batch.
    private var blocks: [[BlockID]] = []

    /// - Parameter works: that will be asked for: they decide how large the KV cache is.
    init(weights: StageWeights, context: ComputeContext, works: [Work], tokenCount: Int) throws {
        self.context = context
        self.tokenCount = tokenCount
        vocabularySize = weights.description.vocabularySize
        random = NormalSource(seed: 5, stream: 0)
        let longest = works.filter { $0.kind != .batch }.map(\.count).max() ?? 1
        let batchSize = works.filter { $0.kind == .batch }.map(\.count).max() ?? 0
        var blockCount = 0
        func take(positions: Int) -> [BlockID] {
            let count = (positions + BlockID.positionCount - 1) / BlockID.positionCount
            defer { blockCount += count }
            return (blockCount..<blockCount + count).map { BlockID(UInt32($0)) }
        }
        blocks.append(take(positions: max(longest, tokenCount)))
        for _ in 0..<batchSize { blocks.append(take(positions: Self.batchPromptLength + tokenCount)) }
        runner = try StageRunner(
            weights: weights, context: context, blockCount: blockCount,
            rowCountMax: max(Self.rowCountMax, batchSize), endTokens: [])
    }

    /// All layers, embedding and head of a file.
    static func load(
        _ file: ModelFile, description: ModelDescription, context: ComputeContext
    ) throws -> StageWeights {
        let units = StageUnits(layers: 0..<description.layerCount, hasEmbedding: true, hasHead: true)
        return try StageWeights.load(file: file, description: description, units: units, context: context)
    }

    var kvByteCount: Int { runner.kvByteCount }

    /// Why this work cannot be done with this model; nil when it can.
    static func refusal(of work: Work, description: ModelDescription, tokenCount: Int) -> String? {
        let positions =
            switch work.kind {
            case .load, .memory: 0
            case .prompt: work.count
            case .decode: tokenCount
            case .batch: batchPromptLength + tokenCount
            case .context: max(work.count, tokenCount)
            }
        guard positions > description.contextLength else { return nil }
        return "\(work) needs \(positions) positions; the model's context has \(description.contextLength)"
    }

    // MARK: Works

    /// Brings the sequences to where the timing begins.
    func prepare(_ works: [Work]) throws {
        if let longest = works.filter({ $0.kind == .context }).map(\.count).max() {
            try prompt(count: longest)
        }
        let batchSize = works.filter { $0.kind == .batch }.map(\.count).max() ?? 0
        for sequence in 0..<batchSize {
            try run([rows(sequence + 1, from: 0, count: Self.batchPromptLength, samples: true)])
        }
    }

    /// Seconds of the work, and the tokens and steps it had.
    func measure(_ work: Work) throws -> (seconds: Double, tokenCount: Int, stepCount: Int) {
        switch work.kind {
        case .load, .memory: preconditionFailure("\(work) is no work of a session")
        case .prompt:
            let seconds = try Stopwatch.seconds { try prompt(count: work.count) }
            return (seconds, work.count, (work.count + Self.rowCountMax - 1) / Self.rowCountMax)
        case .decode: return try decode(sequences: [0], from: 0)
        case .batch: return try decode(sequences: Array(1...work.count), from: Self.batchPromptLength)
        case .context: return try decode(sequences: [0], from: max(0, work.count - tokenCount))
        }
    }

    private func prompt(count: Int) throws {
        for first in stride(from: 0, to: count, by: Self.rowCountMax) {
            let own = min(Self.rowCountMax, count - first)
            try run([rows(0, from: first, count: own, samples: first + own == count)])
        }
    }

    private func decode(sequences: [Int], from position: Int) throws -> (Double, Int, Int) {
        let seconds = try Stopwatch.seconds {
            for step in 0..<tokenCount {
                try run(sequences.map { rows($0, from: position + step, count: 1, samples: true) })
            }
        }
        return (seconds, tokenCount * sequences.count, tokenCount)
    }

    private func rows(_ sequence: Int, from position: Int, count: Int, samples: Bool) -> SequenceRows {
        let tokens = (0..<count).map { _ in TokenID(random.next() % UInt64(vocabularySize)) }
        let introduction =
            position == 0 ? SequenceIntroduction(sampling: SamplingParameters(), promptTokenCount: 1) : nil
        return SequenceRows(
            sequence: SequenceID(UInt64(sequence)), firstPosition: position, tokens: tokens, samples: samples,
            introduction: introduction)
    }

    private func run(_ sequences: [SequenceRows]) throws {
        let step = Step(pipeline: PipelineID(1), epoch: Epoch(1), number: stepNumber, sequences: sequences)
        stepNumber = stepNumber.next
        let batch = StageBatch(step: step, blocks: sequences.map { blocks[Int($0.sequence.rawValue)] })
        let outputs = try runner.run(batch, input: nil, output: nil)
        guard !outputs.contains(where: \.isNotFinite) else {
            throw BenchmarkError("the model gives logits that are not finite: its weights make no sense")
        }
    }
}
