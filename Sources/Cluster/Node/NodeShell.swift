import Logging
import Memory
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
    private var inputs: [StepKey: BufferSlice] = [:]
    private var outputs: [StepKey: BufferSlice] = [:]
    private var hiddenSizes: [PipelineID: Int] = [:]
    private let toCoordinator: OutboundQueue
    private var term = Term(0)
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

    func handle(_ event: NodeEvent) {
        for command in core.handle(event, at: MonotonicClock.now()) { execute(command) }
    }

    func stepArrived(_ step: Step, term: Term, from sender: NodeID, input: BufferSlice?) {
        inputs[StepKey(pipeline: step.pipeline, epoch: step.epoch, number: step.number)] = input
        handle(.stepArrived(step, term, from: sender))
    }

    func adopt(term: Term) { self.term = max(self.term, term) }

    // MARK: Commands

    private func execute(_ command: NodeCommand) {
        switch command {
        case .load(let assignment): load(assignment)
        case .unload(let pipeline, let epoch):
            stages[pipeline] = nil
            compute.enqueue(.unload(pipeline, epoch))
        case .compute(let batch): run(batch)
        case .forward(let step, let next): forward(step, to: next)
        case .reportPrepared(let pipeline, let epoch):
            report { [stamp = stamp(epoch)] in
                try await $0.stagePrepared(StagePrepared(pipeline: pipeline, stamp: stamp))
            }
        case .reportFailed(let pipeline, let epoch, let reason):
            logger.warning("stage of pipeline \(pipeline) failed: \(reason)")
            report { [stamp = stamp(epoch)] in
                try await $0.stageFailed(StageFailed(pipeline: pipeline, reason: reason, stamp: stamp))
            }
        case .reportStep(let result):
            outputs[StepKey(pipeline: result.pipeline, epoch: result.epoch, number: result.number)] = nil
            report { [term] in try await $0.stepFinished(StepFinished(result: result, term: term)) }
        case .reportStepFailed(let pipeline, let epoch, let number, let reason):
            logger.warning("step \(number) of epoch \(epoch) failed: \(reason)")
            report { [stamp = stamp(epoch, number)] in
                try await $0.stepFailed(StepFailed(pipeline: pipeline, reason: reason, stamp: stamp))
            }
        case .dropStep(let pipeline, let epoch, let number, let reason):
            inputs[StepKey(pipeline: pipeline, epoch: epoch, number: number)] = nil
            outputs[StepKey(pipeline: pipeline, epoch: epoch, number: number)] = nil
            logger.debug("dropped step \(number) of epoch \(epoch): \(reason)")
        case .refuse(let text): logger.info("\(text)")
        }
    }

    private func load(_ assignment: StageAssignment) {
        let pipeline = assignment.pipeline
        let epoch = assignment.epoch
        let report = report
        let stamp = stamp(epoch)
        compute.enqueue(
            .load(
                assignment,
                progress: { done, total in
                    report {
                        try await $0.stageProgress(
                            StageProgress(
                                pipeline: pipeline, doneBytes: UInt64(done), totalBytes: UInt64(total), stamp: stamp))
                    }
                },
                completion: { [weak self] result in
                    self?.onLoop { shell in
                        Task { await shell.loadEnded(assignment, result) }
                    }
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
                OutboundQueue(on: system.loop) { logger.debug("could not send to \(next.node): \($0)") }
            }
            stages[pipeline] = LocalStage(assignment: assignment, actor: actor, toNext: toNext)
            handle(.loaded(pipeline, assignment.epoch))
        } catch {
            handle(.loadFailed(pipeline, assignment.epoch, "\(error)"))
        }
    }

    private func run(_ batch: StageBatch) {
        let step = batch.step
        let key = StepKey(pipeline: step.pipeline, epoch: step.epoch, number: step.number)
        guard let stage = stages[step.pipeline], let hiddenSize = hiddenSizes[step.pipeline] else {
            return handle(.computeFailed(step.pipeline, step.epoch, step.number, "the stage is not held any more"))
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
            return handle(.computeFailed(step.pipeline, step.epoch, step.number, "\(error)"))
        }
        outputs[key] = output
        compute.enqueue(
            .compute(
                batch, input: input, output: output,
                completion: { [weak self] result in
                    self?.onLoop { shell in
                        switch result {
                        case .success(let sampled):
                            shell.handle(.computed(step.pipeline, step.epoch, step.number, sampled))
                        case .failure(let error):
                            shell.handle(.computeFailed(step.pipeline, step.epoch, step.number, "\(error)"))
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

    private func forward(_ step: Step, to next: PeerAddress) {
        let key = StepKey(pipeline: step.pipeline, epoch: step.epoch, number: step.number)
        guard let hidden = outputs.removeValue(forKey: key), let queue = stages[step.pipeline]?.toNext else { return }
        let message = ForwardStep(step: step, term: term, hidden: hidden)
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

    private func stamp(_ epoch: Epoch, _ step: StepNumber = StepNumber(0)) -> FrameStamp {
        FrameStamp(term: term, epoch: epoch, step: step)
    }

    /// Runs `body` on the loop, in the order of calls: completions of the compute thread come in through here.
    private nonisolated func onLoop(_ body: @escaping @Sendable (isolated NodeShell) -> Void) {
        system.loop.execute { self.assumeIsolated { body($0) } }
    }
}
