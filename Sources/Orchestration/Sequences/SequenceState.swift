import Vocabulary

/// One accepted request: its tokens, what it holds of the pipeline, and what was told of it.
///
/// It *runs* while it holds blocks. Preemption ends a run: the blocks go, the tokens stay, and a later run computes
/// them again.
struct SequenceState: Sendable {
    enum Phase: Sendable {
        /// Holds nothing.
        case waiting
        /// Has tokens that are not scheduled yet, besides the newest sampled one.
        case prompt
        /// All tokens but the newest are scheduled.
        case decoding
    }

    let id: SequenceID
    /// Without its prompt, which is in `tokens`.
    let request: GenerationRequest
    let promptTokenCount: Int
    /// Clamped to what context and pool have room for.
    var outputTokenCountMax: Int
    /// Prompt and output.
    var tokens: [TokenID]

    /// Names of the full blocks, as far as they were asked for.
    var chain: BlockChain
    /// Prompt tokens whose KV the first run found in the cache.
    var cachedTokenCount = 0

    // MARK: This run

    var phase: Phase = .waiting
    /// Grows with each run; rows in flight of an earlier run are stale.
    var run = 0
    var blocks: [BlockID] = []
    /// How many of `blocks` the stages know.
    var sentBlockCount = 0
    /// Tokens whose rows were put into steps.
    var scheduledCount = 0
    /// Tokens whose rows came back.
    var committedCount = 0
    /// How many of `blocks`, from the first on, are full and never written again.
    var sealedBlockCount = 0
    /// The newest step with rows of this run.
    var lastStep: StepNumber?

    // MARK: What was told

    var output: OutputText
    /// From the prompt's second token on, as they come.
    var promptScores: [TokenScore] = []
    var isPromptScored = false

    // MARK: Times

    /// Requests begin in the order of these; 0 before.
    var beginning: UInt64 = 0
    var deadline: Instant?
    var started: Instant?
    var firstTokenAt: Instant?

    init(id: SequenceID, request: GenerationRequest, model: ModelProfile, outputTokenCountMax: Int) {
        self.id = id
        var bare = request
        bare.prompt = []
        self.request = bare
        self.outputTokenCountMax = outputTokenCountMax
        promptTokenCount = request.prompt.count
        tokens = request.prompt
        chain = BlockChain(model: model.fingerprint, salt: request.cacheSalt)
        output = OutputText(stopStrings: request.stopStrings, includesStopString: request.includesStopString)
    }

    var outputTokenCount: Int { tokens.count - promptTokenCount }
    var hasBegun: Bool { started != nil }

    /// How many scores the whole prompt has.
    var promptScoreCount: Int { request.scoresPrompt ? promptTokenCount - 1 : 0 }

    /// Whether rows from `position` on still have scores to give.
    func scoresRows(from position: Int) -> Bool {
        !isPromptScored && position < promptScoreCount
    }

    /// Prompt tokens whose scores are wanted must be computed.
    var mayReusePrefix: Bool { request.reusesPrefix && (isPromptScored || promptScoreCount == 0) }

    var flow: FairQueue.Flow { FairQueue.Flow(tenant: request.tenant, priority: request.priority) }

    /// What it is taken to need of the cluster, in tokens, before it is known.
    var expectedCost: Int { promptTokenCount + expectedOutputTokenCount }

    var expectedOutputTokenCount: Int {
        min(outputTokenCountMax, max(Self.usualOutputTokenCount, request.outputTokenCountMin))
    }

    private static let usualOutputTokenCount = 256

    /// Forgets the run; the blocks must have been given back.
    mutating func endRun() {
        phase = .waiting
        run += 1
        blocks = []
        sentBlockCount = 0
        scheduledCount = 0
        committedCount = 0
        sealedBlockCount = 0
        lastStep = nil
    }

    func usage(at now: Instant) -> GenerationUsage {
        let begin = started ?? now
        let first = firstTokenAt ?? now
        return GenerationUsage(
            promptTokenCount: promptTokenCount, outputTokenCount: outputTokenCount, cachedTokenCount: cachedTokenCount,
            promptSeconds: (first - begin).seconds, outputSeconds: (now - first).seconds)
    }
}
