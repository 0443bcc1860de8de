import Logging
import Memory
import Models
import Orchestration
import Transport
import Vocabulary
import Wire

/// Executes what `NodeCore` decides: loading, computing, and handing hidden states and results on.
actor NodeShell {
    nonisolated let system: ClusterActorSystem
    private var core: NodeCore
    private let compute: ComputeThread
    private let pool: BufferPool
    private let logger: Logger

    private var stages: [PipelineID: LocalStage] = [:]
    /// The last one of each pipeline that was taken: tells a stale order from one that is wrong.
    private var prepared: [PipelineID: (term: Term, epoch: Epoch)] = [:]
    private var inputs: [StepKey: BufferSlice] = [:]
    private var outputs: [StepKey: BufferSlice] = [:]
    private var hiddenSizes: [PipelineID: Int] = [:]
    private let toCoordinator: OutboundQueue
    private let library: ModelLibrary

    nonisolated var unownedExecutor: UnownedSerialExecutor { system.loop.asUnownedSerialExecutor() }

    /// What there is to a stage besides its weights: its actor and the way to the next stage.
    private struct LocalStage {
        var assignment: StageAssignment
        var actor: Stage
        var toNext: OutboundQueue?
    }

    private struct StepKey: Hashable {
        var pipeline: PipelineID
        var epoch: Epoch
        var number: StepNumber

        init(_ pipeline: PipelineID, _ epoch: Epoch, _ number: StepNumber) {
            self.pipeline = pipeline
            self.epoch = epoch
            self.number = number
        }
    }

    init(
        core: NodeCore, system: ClusterActorSystem, compute: ComputeThread, library: ModelLibrary, pool: BufferPool,
        logger: Logger
    ) {
        self.core = core
        self.system = system
        self.compute = compute
        self.library = library
        self.pool = pool
        self.logger = logger
        toCoordinator = OutboundQueue(on: system.loop) { logger.debug("could not report: \($0)") }
    }

    // MARK: Events

    /// Gives the reason when the core refuses the event. `taken` runs when it does not, before its commands.
    @discardableResult
    func handle(_ event: NodeEvent, taken: () -> Void = {}) -> String? {
        let commands = core.handle(event, at: EventLoop.now)
        var refusal: String?
        for case .refuse(let reason) in commands { refusal = reason }
        if refusal == nil { taken() }
        for command in commands { execute(command) }
        return refusal
    }

    func prepare(_ message: PrepareStage) throws(RemoteFailure) {
        let (pipeline, stamp) = (message.assignment.pipeline, message.stamp)
        let last = prepared[pipeline]
        let isOver = stamp.term < core.term || (last.map { $0.term == stamp.term && $0.epoch > stamp.epoch } ?? false)
        guard let reason = handle(.prepareAsked(message.assignment, stamp.term)) else {
            prepared[pipeline] = (stamp.term, stamp.epoch)
            return
        }
        throw RemoteFailure(code: isOver ? RemoteFailure.Code.stale : RemoteFailure.Code.refused, message: reason)
    }

    /// - Parameter input: hidden states f32 [rows][hidden size] of the stage before; nil for the first stage.
    func stepArrived(_ step: Step, term: Term, from sender: PeerIdentity, input: BufferSlice?) {
        let reason: String?
        if sender.role != .coordinator, term > core.term {
            // All stages of a pipeline know its term before its first step. Whoever could raise it would make this node
            // deaf to its coordinator.
            reason = "term \(term) is not for a \(sender.role) to begin"
        } else {
            // A refused step may be a second copy of one that waits: what is kept for that one stays.
            reason = handle(.stepArrived(step, term, from: sender.node)) {
                inputs[StepKey(step.pipeline, step.epoch, step.number)] = input
            }
        }
        if let reason {
            logger.info("refused step \(step.number) of epoch \(step.epoch) from \(sender.node): \(reason)")
        }
    }

    // MARK: Commands

    private func execute(_ command: NodeCommand) {
        switch command {
        case .load(let assignment): load(assignment)
        case .unload(let pipeline, let epoch):
            stages[pipeline] = nil
            compute.enqueue(.unload(pipeline, epoch))
        case .compute(let batch): run(batch)
        case .forward(let step, let term, let next): forward(step, term, to: next)
        case .reportPrepared(let pipeline, let epoch, let term):
            let message = StagePrepared(pipeline: pipeline, stamp: FrameStamp(term: term, epoch: epoch))
            report { try await $0.stagePrepared(message) }
        case .reportFailed(let pipeline, let epoch, let term, let reason):
            logger.warning("the stage of pipeline \(pipeline) failed: \(reason)")
            let message = StageFailed(
                pipeline: pipeline, reason: reason, stamp: FrameStamp(term: term, epoch: epoch))
            report { try await $0.stageFailed(message) }
        case .reportStep(let result, let term):
            outputs[StepKey(result.pipeline, result.epoch, result.number)] = nil
            let message = StepFinished(result: result, term: term)
            report { try await $0.stepFinished(message) }
        case .reportStepFailed(let pipeline, let epoch, let number, let term, let reason):
            logger.warning("step \(number) of epoch \(epoch) failed: \(reason)")
            let message = StepFailed(
                pipeline: pipeline, reason: reason, stamp: FrameStamp(term: term, epoch: epoch, step: number))
            report { try await $0.stepFailed(message) }
        case .dropStep(let pipeline, let epoch, let number, let reason):
            inputs[StepKey(pipeline, epoch, number)] = nil
            outputs[StepKey(pipeline, epoch, number)] = nil
            logger.debug("dropped step \(number) of epoch \(epoch): \(reason)")
        case .refuse: break
        }
    }

    private func load(_ assignment: StageAssignment) {
        let report = report
        let (pipeline, epoch) = (assignment.pipeline, assignment.epoch)
        let stamp = FrameStamp(term: core.term, epoch: epoch)
        compute.enqueue(
            .load(
                assignment,
                progress: { done, total in
                    let message = StageProgress(
                        pipeline: pipeline, doneBytes: UInt64(done), totalBytes: UInt64(total), stamp: stamp)
                    report { try await $0.stageProgress(message) }
                },
                completion: { [weak self] result in
                    self?.onLoop { shell in Task { await shell.loadEnded(assignment, result) } }
                }))
    }

    /// The weights are here: connect to the next stage, then the stage is prepared.
    private func loadEnded(_ assignment: StageAssignment, _ result: Result<Void, any Error>) async {
        let pipeline = assignment.pipeline
        do {
            try result.get()
            hiddenSizes[pipeline] = try library.model(
                fingerprint: assignment.modelFingerprint, name: assignment.model
            ).description.hiddenSize
            if let next = assignment.next {
                _ = try await system.connect(host: next.host, port: next.port, expecting: next.node)
            }
            let actor: Stage
            if let stage = stages[pipeline] {
                actor = stage.actor
            } else {
                actor = system.withObject(WellKnownObject.stage(pipeline)) {
                    Stage(shell: self, actorSystem: system)
                }
            }
            let logger = logger
            let toNext = assignment.next.map { next in
                OutboundQueue(on: system.loop) { [weak self] error in
                    logger.debug("could not send to \(next.node): \(error)")
                    Task { await self?.handle(.peerLost(next.node, reason: "\(error)")) }
                }
            }
            stages[pipeline] = LocalStage(assignment: assignment, actor: actor, toNext: toNext)
            handle(.loaded(pipeline, assignment.epoch))
        } catch {
            handle(.loadFailed(pipeline, assignment.epoch, reason: "\(error)"))
        }
    }

    private func run(_ batch: StageBatch) {
        let step = batch.step
        let key = StepKey(step.pipeline, step.epoch, step.number)
        guard let stage = stages[step.pipeline], let hiddenSize = hiddenSizes[step.pipeline] else {
            handle(.computeFailed(step.pipeline, step.epoch, step.number, reason: "the stage is not held any more"))
            return
        }
        let input = inputs.removeValue(forKey: key)
        let output: BufferSlice?
        do {
            try checkInput(input, rowCount: step.rowCount, hiddenSize: hiddenSize, stage.assignment.units)
            if stage.assignment.units.hasHead {
                output = nil
            } else {
                let byteCount = step.rowCount * hiddenSize * MemoryLayout<Float>.stride
                output = BufferSlice(buffer: try pool.take(byteCount: byteCount), offset: 0, byteCount: byteCount)
            }
        } catch {
            handle(.computeFailed(step.pipeline, step.epoch, step.number, reason: "\(error)"))
            return
        }
        outputs[key] = output
        compute.enqueue(
            .compute(
                batch, input: input, output: output,
                completion: { [weak self] result in
                    self?.onLoop { shell in
                        switch result {
                        case .success(let sampled):
                            shell.handle(
                                .computed(step.pipeline, step.epoch, step.number, outputs: sampled))
                        case .failure(let error):
                            shell.handle(
                                .computeFailed(step.pipeline, step.epoch, step.number, reason: "\(error)"))
                        }
                    }
                }))
    }

    /// The hidden states that came with a step must be exactly its rows'.
    private func checkInput(_ input: BufferSlice?, rowCount: Int, hiddenSize: Int, _ units: StageUnits) throws {
        let expected = units.hasEmbedding ? 0 : rowCount * hiddenSize * MemoryLayout<Float>.stride
        guard (input?.byteCount ?? 0) == expected else {
            throw ClusterError(
                "\(input?.byteCount ?? 0) bytes of hidden states came with a step that needs \(expected)")
        }
    }

    private func forward(_ step: Step, _ term: Term, to next: PeerAddress) {
        let key = StepKey(step.pipeline, step.epoch, step.number)
        guard let hidden = outputs.removeValue(forKey: key), let queue = stages[step.pipeline]?.toNext else { return }
        let message = ForwardStep(step: step, term: term, hiddenStates: hidden)
        let address = ActorAddress(node: next.node, object: WellKnownObject.stage(step.pipeline))
        let system = system
        queue.enqueue { try await Stage.resolve(id: address, using: system).forward(message) }
    }

    // MARK: Helpers

    private nonisolated var report: @Sendable (@escaping @Sendable (Coordinator) async throws -> Void) -> Void {
        let system = system
        let queue = toCoordinator
        return { call in
            queue.enqueue {
                let address = ActorAddress(node: .coordinator, object: WellKnownObject.coordinator)
                try await call(Coordinator.resolve(id: address, using: system))
            }
        }
    }

    /// Runs `body` on the loop, in the order of calls: completions of the compute thread come in through here.
    private nonisolated func onLoop(_ body: @escaping @Sendable (isolated NodeShell) -> Void) {
        system.loop.execute { self.assumeIsolated { body($0) } }
    }
}
