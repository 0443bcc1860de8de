import Logging
import Orchestration
import Telemetry
import Transport
import Vocabulary
import Wire

/// Executes what `CoordinatorCore` decides: calls to nodes, timers, and the streams of running generations.
actor CoordinatorShell {
    nonisolated let system: ClusterActorSystem
    nonisolated let term: Term
    private var core: CoordinatorCore
    private let logger: Logger

    private var streams: [RequestID: OpenStream] = [:]
    private var nextRequest: UInt64 = 1
    /// Incarnations that registered, so that the loss of an older connection is not taken for theirs.
    private var incarnations: [NodeID: Incarnation] = [:]
    private var queues: [NodeID: OutboundQueue] = [:]
    private var timer: LoopTimer?
    /// Nil in a cluster without certificates.
    private var revokedSerials: [String]?
    private var meters = StepMeters()
    /// By the model's name; a name that is not served is counted nowhere.
    private let counters: [String: ModelCounters]

    private struct OpenStream {
        var continuation: AsyncStream<GenerationEvent>.Continuation
        var counters: ModelCounters?
        /// Of a prompt that is not counted yet.
        var uncountedPromptTokenCount: Int
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { system.loop.asUnownedSerialExecutor() }

    /// - Parameter revokedSerials: of certificates; nil in a cluster without them.
    init(
        core: CoordinatorCore, term: Term, models: [String], revokedSerials: [String]?, system: ClusterActorSystem,
        logger: Logger
    ) {
        self.revokedSerials = revokedSerials
        self.core = core
        counters = Dictionary(models.map { ($0, ModelCounters(model: $0)) }, uniquingKeysWith: { first, _ in first })
        self.term = term
        self.system = system
        self.logger = logger
    }

    // MARK: Events

    func handle(_ event: CoordinatorEvent) {
        let start = EventLoop.now
        let commands = core.handle(event, at: start)
        for command in commands { execute(command) }
        armTimer()
        meters.handled(event, since: start)
    }

    func register(_ description: NodeDescription) throws(RemoteFailure) -> RegisterReply {
        // Its connection may have ended since it asked: that would not be noticed again.
        guard system.peer(description.node)?.incarnation == description.incarnation else {
            throw RemoteFailure(
                code: RemoteFailure.Code.stale, message: "'\(description.node)' is not connected any more")
        }
        incarnations[description.node] = description.incarnation
        tellRevoked(to: description.node)
        handle(.nodeRegistered(description))
        return RegisterReply(term: term, beatIntervalMilliseconds: 0)
    }

    func peerLost(_ peer: PeerIdentity, reason: String) {
        guard peer.role == .node, incarnations[peer.node] == peer.incarnation else { return }
        incarnations[peer.node] = nil
        queues[peer.node] = nil
        handle(.nodeLost(peer.node, peer.incarnation, reason: reason))
    }

    // MARK: Certificates

    /// Told to all nodes, and to each that registers later.
    func setRevoked(_ serials: [String]) {
        revokedSerials = serials
        for node in incarnations.keys.sorted() { tellRevoked(to: node) }
    }

    private func tellRevoked(to node: NodeID) {
        guard let revokedSerials else { return }
        let message = CertificatesRevoked(serials: revokedSerials, stamp: FrameStamp(term: term))
        let system = system
        queue(to: node).enqueue {
            try await Node.resolve(id: .init(node: node, object: WellKnownObject.node), using: system)
                .certificatesRevoked(message)
        }
    }

    // MARK: Generations

    func generate(_ request: GenerationRequest) -> AsyncStream<GenerationEvent> {
        let id = RequestID(nextRequest)
        nextRequest += 1
        let (stream, continuation) = AsyncStream<GenerationEvent>.makeStream()
        streams[id] = OpenStream(
            continuation: continuation, counters: counters[request.model],
            uncountedPromptTokenCount: request.prompt.count)
        continuation.onTermination = { [weak self] reason in
            guard case .cancelled = reason else { return }
            Task { await self?.cancel(id) }
        }
        handle(.requestArrived(id, request))
        return stream
    }

    private func cancel(_ id: RequestID) {
        guard streams.removeValue(forKey: id) != nil else { return }
        handle(.requestCancelled(id))
    }

    // MARK: State for people

    func topology() -> Topology { core.topology() }
    func unreadyReason() -> String? { core.unreadyReason() }

    /// How busy all pipelines together are.
    func throughputSample() -> ThroughputLog.Sample {
        let pipelines = core.topology().pipelines
        let blockCount = pipelines.reduce(0) { $0 + $1.blockCount }
        let freeBlockCount = pipelines.reduce(0) { $0 + $1.freeBlockCount }
        return ThroughputLog.Sample(
            promptTokenCount: counters.values.reduce(0) { $0 + UInt64($1.promptTokens.value) },
            generationTokenCount: counters.values.reduce(0) { $0 + UInt64($1.generationTokens.value) },
            runningRequestCount: pipelines.reduce(0) { $0 + $1.runningCount },
            // The same number stands at each replica of a model.
            waitingRequestCount: pipelines.reduce(0) { $0 + ($1.replica == 1 ? $1.waitingCount : 0) },
            kvCacheUse: blockCount > 0 ? 1 - Double(freeBlockCount) / Double(blockCount) : 0)
    }

    // MARK: Commands

    private func execute(_ command: CoordinatorCommand) {
        switch command {
        case .prepare(let node, let assignment): prepare(node, assignment)
        case .release(let node, let pipeline, let epoch):
            let message = ReleaseStage(pipeline: pipeline, stamp: FrameStamp(term: term, epoch: epoch))
            let system = system
            queue(to: node).enqueue {
                try await Node.resolve(id: .init(node: node, object: WellKnownObject.node), using: system)
                    .release(message)
            }
        case .run(let node, let step):
            let message = ForwardStep(step: step, term: term)
            let address = ActorAddress(node: node, object: WellKnownObject.stage(step.pipeline))
            let system = system
            queue(to: node).enqueue { try await Stage.resolve(id: address, using: system).forward(message) }
        case .emit(let request, let event): emit(event, to: request)
        case .note(let level, let text): logger.log(level: level.loggerLevel, "\(text)")
        }
    }

    private func prepare(_ node: NodeID, _ assignment: StageAssignment) {
        meters.willPrepare(assignment, on: node)
        let message = PrepareStage(assignment: assignment, term: term)
        let system = system
        Task {
            do {
                _ = try await Node.resolve(id: .init(node: node, object: WellKnownObject.node), using: system)
                    .prepare(message)
            } catch {
                handle(.stageFailed(node, assignment.pipeline, assignment.epoch, term, reason: "\(error)"))
            }
        }
    }

    private func emit(_ event: GenerationEvent, to request: RequestID) {
        guard let stream = streams[request] else { return }
        stream.continuation.yield(event)
        switch event {
        case .output(_, let tokens):
            stream.counters?.generationTokens.increment(by: tokens.count)
            if stream.uncountedPromptTokenCount > 0 {
                stream.counters?.promptTokens.increment(by: stream.uncountedPromptTokenCount)
                streams[request]?.uncountedPromptTokenCount = 0
            }
        case .finished(_, let usage):
            stream.counters?.cacheQueries.increment(by: usage.promptTokenCount)
            stream.counters?.cacheHits.increment(by: usage.cachedTokenCount)
            close(request, stream)
        case .failed: close(request, stream)
        case .accepted, .promptScored: break
        }
    }

    private func close(_ request: RequestID, _ stream: OpenStream) {
        streams[request] = nil
        stream.continuation.finish()
    }

    private func queue(to node: NodeID) -> OutboundQueue {
        if let queue = queues[node] { return queue }
        let logger = logger
        let queue = OutboundQueue(on: system.loop) { error in
            // The loss of the peer arrives as an event of its own and is dealt with there.
            logger.debug("could not send to \(node): \(error)")
        }
        queues[node] = queue
        return queue
    }

    // MARK: Timer

    private func armTimer() {
        guard let deadline = core.nextDeadline else { return }
        if let timer, timer.deadline <= deadline { return }
        timer?.cancel()
        timer = system.loop.schedule(at: deadline) { [weak self] in
            Task { await self?.timerFired() }
        }
    }

    private func timerFired() {
        timer = nil
        if let deadline = core.nextDeadline, deadline <= EventLoop.now {
            handle(.deadlinePassed)
        } else {
            armTimer()
        }
    }
}

extension NoteLevel {
    fileprivate var loggerLevel: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}
