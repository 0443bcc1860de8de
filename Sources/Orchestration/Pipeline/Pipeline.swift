import DequeModule
package import Vocabulary

/// One model's pipeline: its stages, its requests and the steps in flight. A part of `CoordinatorCore`, which tells
/// it of everything and takes its commands out of `outbox`.
package struct Pipeline: Sendable {
    enum Phase: Sendable {
        /// For nodes, or for memory.
        case waiting(reason: String)
        /// Not all stages have reported; `progressAt` is when one last gave a sign.
        case loading(progressAt: Instant)
        case running
        /// A stage could not be prepared.
        case failed(reason: String, retryAt: Instant)
    }

    /// A place in a queue of running sequences. Stale when the sequence is over or in a later run.
    struct QueueEntry: Sendable {
        var id: SequenceID
        var run: Int
    }

    /// When a request must have ended. Stale when it has.
    struct Deadline: Sendable {
        var at: Instant
        var id: SequenceID
    }

    /// What must be known of a step until its result comes.
    struct StepInFlight: Sendable {
        struct Rows: Sendable {
            var id: SequenceID
            var run: Int
            var firstPosition: Int
            var rowCount: Int
            var samples: Bool
            /// Scores that must come back.
            var scoreCount: Int
        }
        var number: StepNumber
        var rows: [Rows]
        var promptRowCount: Int
        var decodeRowCount: Int
        var since: Instant
    }

    let id: PipelineID
    let model: ModelProfile
    let text: (any TokenText)?
    let settings: CoordinatorSettings
    let endTokens: Set<TokenID>
    var outbox: [CoordinatorCommand] = []

    // MARK: Stages

    var phase: Phase = .waiting(reason: "no node is connected")
    /// Something changed that may let the pipeline form.
    var needsForming = true
    /// The current one, or the one to come back to.
    var plan: PipelinePlan?
    /// Zero before the first preparation.
    var epoch = Epoch(0)
    /// For each stage of the plan, whether it reported under this epoch.
    var isPrepared: [Bool] = []
    /// Nodes that may hold something of this pipeline.
    var holders: [NodeID] = []
    /// Since when the pipeline has not run, once it has.
    var downSince: Instant?

    // MARK: Requests

    /// Every request that has not ended.
    var sequences: [SequenceID: SequenceState] = [:]
    /// In the order in which they began.
    var running: [SequenceID] = []
    /// Those that made room for older ones, in the same order. All that run began before them, and they come before
    /// all that wait for their first turn.
    package var preempted: [SequenceID] = []
    /// Those that have not begun.
    package var waiting = FairQueue()
    var beginningCount: UInt64 = 0
    var deadlines = Heap<Deadline> { ($0.at, $0.id) < ($1.at, $1.id) }
    /// How long it lately took from one request's end to the next, while others waited.
    var secondsBetweenEnds: Double?
    var newestEnd: Instant?
    /// Positions that one sequence can have: the context, or the pool when that is smaller.
    var positionCountMax = 0

    // MARK: Batching

    package var pool = BlockPool(blockCount: 0)
    var promptQueue: Deque<QueueEntry> = []
    var decodeQueue: Deque<QueueEntry> = []
    /// Running sequences in their prompt phase, and their rows that are not scheduled.
    var promptSequenceCount = 0
    var promptRowsPending = 0
    var promptRowsInFlight = 0
    var inFlight: Deque<StepInFlight> = []
    var decodeStepsInFlight = 0
    var nextNumber = StepNumber.first
    /// Of this epoch.
    package internal(set) var times = PipelineTimes(stageCount: 0)
    /// Sequences that the stages may forget with the next step.
    var endedToTell: [SequenceID] = []
    /// Since when the oldest step in flight has been the oldest.
    var oldestSince = Instant(nanoseconds: 0)

    init(id: PipelineID, model: ModelProfile, text: (any TokenText)?, settings: CoordinatorSettings) {
        self.id = id
        self.model = model
        self.text = text
        self.settings = settings
        endTokens = Set(model.endTokens)
    }

    var isRunning: Bool {
        if case .running = phase { true } else { false }
    }

    var isLoading: Bool {
        if case .loading = phase { true } else { false }
    }

    /// The context that is served.
    var contextTokenCount: Int {
        min(model.contextLength, settings.contextTokenCountMax ?? model.contextLength)
    }

    /// Whatever is measured: one more than stages, for steps that travel.
    var stepsInFlightMax: Int { (plan?.stages.count ?? 0) + 1 }

    /// Those that hold no blocks.
    var waitingCount: Int { preempted.count + waiting.count }

    mutating func emit(_ id: SequenceID, _ event: GenerationEvent) {
        outbox.append(.emit(RequestID(id.rawValue), event))
    }

    mutating func note(_ level: NoteLevel, _ text: String) {
        outbox.append(.note(level, "pipeline \(id) (\(model.name)): \(text)"))
    }

    /// Nil when the pipeline runs.
    var downReason: String? {
        switch phase {
        case .running: nil
        case .loading:
            "loading: \(isPrepared.count { $0 }) of \(isPrepared.count) stages are ready"
        case .waiting(let reason), .failed(let reason, _): reason
        }
    }
}
