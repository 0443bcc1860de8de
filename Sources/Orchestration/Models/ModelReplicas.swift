package import Vocabulary

/// One model: the pipelines that serve it, and the requests that wait for any of them. A part of `CoordinatorCore`,
/// which tells it of everything and takes its commands out of `outbox`.
///
/// Requests wait here and not at a pipeline, and which replica serves one is decided when it begins, not when it
/// comes: so nobody waits for a busy replica while another idles, the order stays fair over all replicas, and the
/// loss of a replica concerns only what runs on it.
package struct ModelReplicas: Sendable {
    /// When a request must have ended. Stale when it has.
    struct Deadline: Sendable {
        var at: Instant
        var id: SequenceID
    }

    let model: ModelProfile
    let settings: CoordinatorSettings
    let limits: ModelLimits
    /// At least one, in the order of their numbers.
    package var pipelines: [Pipeline]
    var outbox: [CoordinatorCommand] = []

    // MARK: Requests

    /// Every request that waits; those that run are with their pipeline.
    var sequences: [SequenceID: SequenceState] = [:]
    /// Those that made room for older ones, in the order in which they began. They come before all that wait for
    /// their first turn.
    package var preempted: [SequenceID] = []
    /// Those that have not begun.
    package var waiting = FairQueue()
    var beginningCount: UInt64 = 0
    var deadlines = Heap<Deadline> { ($0.at, $0.id) < ($1.at, $1.id) }
    /// How long it lately took from one request's end to the next, while others waited.
    var secondsBetweenEnds: Double?
    var newestEnd: Instant?

    // MARK: Service

    /// Whether a pipeline runs.
    private(set) var isServing = false
    /// Since when none runs, once one has.
    private(set) var downSince: Instant?
    /// Positions that one sequence can have, in the roomiest pipeline that runs (or last ran): the context, or the
    /// pool when that is smaller.
    private(set) var positionCountMax = 0

    /// - Parameter firstPipeline: the first replica's id; those of the others follow.
    init(
        model: ModelProfile, text: (any TokenText)?, firstPipeline: UInt32, settings: CoordinatorSettings
    ) {
        let limits = settings.limits(of: model.name)
        self.model = model
        self.settings = settings
        self.limits = limits
        let count = max(1, limits.replicaCount)
        pipelines = (0..<count).map { index in
            Pipeline(
                id: PipelineID(firstPipeline + UInt32(index)), replica: index + 1, replicaCount: count, model: model,
                text: text, settings: settings, limits: limits)
        }
    }

    /// The context that is served.
    var contextTokenCount: Int { limits.contextTokenCount(of: model) }

    /// Those that hold no blocks.
    var waitingCount: Int { preempted.count + waiting.count }

    var runningCount: Int { pipelines.reduce(0) { $0 + $1.running.count } }

    /// Nil when a pipeline runs.
    var downReason: String? {
        if pipelines.contains(where: \.isRunning) { return nil }
        // The one that is nearest to running.
        return (pipelines.first(where: \.isLoading) ?? pipelines.first)?.downReason
    }

    mutating func emit(_ id: SequenceID, _ event: GenerationEvent) {
        outbox.append(.emit(RequestID(id.rawValue), event))
    }

    // MARK: After each event

    /// Takes what the pipelines did, and lets begin and go on what can.
    mutating func settle(at now: Instant) {
        for index in pipelines.indices { drain(index, at: now) }
        noteService(at: now)
        beginWaiting(at: now)
        schedule(at: now)
        // What one replica had to put back may begin at another at once.
        guard pipelines.count > 1, !preempted.isEmpty else { return }
        beginWaiting(at: now)
        schedule(at: now)
    }

    private mutating func schedule(at now: Instant) {
        for index in pipelines.indices where pipelines[index].needsScheduling {
            pipelines[index].schedule(at: now)
            drain(index, at: now)
        }
    }

    /// Takes a pipeline's commands and those who left it.
    mutating func drain(_ index: Int, at now: Instant) {
        if !pipelines[index].outbox.isEmpty {
            outbox += pipelines[index].outbox
            pipelines[index].outbox.removeAll(keepingCapacity: true)
        }
        guard !pipelines[index].departures.isEmpty else { return }
        let departures = pipelines[index].departures
        pipelines[index].departures.removeAll(keepingCapacity: true)
        for departure in departures {
            switch departure {
            case .ended(let sequence): noteEnd(of: sequence, at: now)
            case .preempted(let sequence):
                let place = preempted.firstIndex { sequences[$0]?.beginning ?? 0 > sequence.beginning }
                preempted.insert(sequence.id, at: place ?? preempted.count)
                sequences[sequence.id] = sequence
            }
        }
    }

    private mutating func noteService(at now: Instant) {
        let running = pipelines.lazy.filter(\.isRunning)
        guard let room = running.map(\.positionCountMax).max() else {
            if isServing { downSince = now }
            isServing = false
            return
        }
        isServing = true
        downSince = nil
        guard room != positionCountMax else { return }
        positionCountMax = room
        refuseWhatNoLongerFits(at: now)
    }

    // MARK: Deadlines

    var nextDeadline: Instant? {
        var deadline = deadlines.first?.at
        for index in pipelines.indices {
            guard let other = pipelines[index].nextDeadline else { continue }
            deadline = deadline.map { min($0, other) } ?? other
        }
        if let downSince, waitingCount > 0 {
            let limit = downSince + settings.waitingDeadline
            deadline = deadline.map { min($0, limit) } ?? limit
        }
        return deadline
    }

    mutating func deadlinePassed(at now: Instant) {
        if let downSince, downSince + settings.waitingDeadline <= now { giveUpWaiting() }
        endOverdueRequests(at: now)
        for index in pipelines.indices { pipelines[index].deadlinePassed(at: now) }
    }
}
