import DequeModule
import Vocabulary

/// A model's pipeline: its stages, the requests that run on it and the steps in flight. A part of `ModelReplicas`,
/// which tells it of everything and takes its commands out of `outbox` and what left it out of `departures`.
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

    /// A sequence that holds nothing of the pipeline any more.
    enum Departure: Sendable {
        /// Its last event is in the outbox.
        case ended(SequenceState)
        /// It made room and is to go on later, on any replica.
        case preempted(SequenceState)
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
    /// Counted from 1, among those of the model.
    let replica: Int
    let replicaCount: Int
    let model: ModelProfile
    let text: (any TokenText)?
    let settings: CoordinatorSettings
    let limits: ModelLimits
    let endTokens: Set<TokenID>
    var outbox: [CoordinatorCommand] = []
    var departures: [Departure] = []

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

    // MARK: Requests

    /// Every request that runs here.
    var sequences: [SequenceID: SequenceState] = [:]
    /// In the order in which they began, here or on another replica.
    var running: [SequenceID] = []
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
    /// Something changed that may let a step go.
    var needsScheduling = false
    /// Sequences that the stages may forget with the next step.
    var endedToTell: [SequenceID] = []
    /// Since when the oldest step in flight has been the oldest.
    var oldestSince = Instant(nanoseconds: 0)

    init(
        id: PipelineID, replica: Int, replicaCount: Int, model: ModelProfile, text: (any TokenText)?,
        settings: CoordinatorSettings, limits: ModelLimits
    ) {
        self.id = id
        self.replica = replica
        self.replicaCount = replicaCount
        self.model = model
        self.text = text
        self.settings = settings
        self.limits = limits
        endTokens = Set(model.endTokens)
    }

    var isRunning: Bool {
        if case .running = phase { true } else { false }
    }

    var isLoading: Bool {
        if case .loading = phase { true } else { false }
    }

    var isWaiting: Bool {
        if case .waiting = phase { true } else { false }
    }

    /// Whatever is measured: one more than stages, for steps that travel.
    var stepsInFlightMax: Int { (plan?.stages.count ?? 0) + 1 }

    mutating func emit(_ id: SequenceID, _ event: GenerationEvent) {
        outbox.append(.emit(RequestID(id.rawValue), event))
    }

    mutating func note(_ level: NoteLevel, _ text: String) {
        let name = replicaCount > 1 ? "\(model.name), replica \(replica)" : model.name
        outbox.append(.note(level, "pipeline \(id) (\(name)): \(text)"))
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
