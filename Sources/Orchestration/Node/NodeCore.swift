import DequeModule
public import Vocabulary

/// All that a node decides: whom it obeys, which steps it runs and in which order.
///
/// A pure state machine, like `CoordinatorCore`. It has no deadlines: the coordinator holds those.
public struct NodeCore: Sendable {
    public let node: NodeID
    /// The highest term seen; lower ones are not obeyed.
    public private(set) var term = Term(0)
    private let queuedStepCountMax: Int
    /// In order of their pipelines' ids.
    private var stages: [NodeStage] = []
    /// Steps of all stages, in order of arrival.
    private var queue: Deque<Queued> = []
    /// The step that is being computed.
    private var computing: Step?
    private var computingSince = Instant(nanoseconds: 0)
    private var outbox: [NodeCommand] = []

    private struct Queued: Sendable {
        var batch: StageBatch
        var since: Instant
    }

    /// - Parameter queuedStepCountMax: more steps than this do not wait for their turn: far above what a coordinator
    ///   has in flight.
    public init(node: NodeID, queuedStepCountMax: Int = 1024) {
        self.node = node
        self.queuedStepCountMax = queuedStepCountMax
    }

    public mutating func handle(_ event: NodeEvent, at now: Instant) -> [NodeCommand] {
        switch event {
        case .registered(let term): obeys(term)
        case .prepareAsked(let assignment, let term): prepareAsked(assignment, term)
        case .releaseAsked(let pipeline, let epoch, let term): releaseAsked(pipeline, epoch, term)
        case .loaded(let pipeline, let epoch): loadEnded(pipeline, epoch, failure: nil)
        case .loadFailed(let pipeline, let epoch, let reason): loadEnded(pipeline, epoch, failure: reason)
        case .stepArrived(let step, let term, let sender): stepArrived(step, term, from: sender, at: now)
        case .computed(let pipeline, let epoch, let number, let outputs):
            computeEnded(pipeline, epoch, number, .success(outputs), at: now)
        case .computeFailed(let pipeline, let epoch, let number, let reason):
            computeEnded(pipeline, epoch, number, .failure(ComputeFailure(reason: reason)), at: now)
        case .peerLost(let peer, let reason): peerLost(peer, reason: reason)
        case .coordinatorLost: coordinatorLost()
        }
        startWork(at: now)
        defer { outbox = [] }
        return outbox
    }

    private struct ComputeFailure: Error {
        var reason: String
    }

    private func index(of pipeline: PipelineID) -> Int? {
        stages.firstIndex { $0.assignment.pipeline == pipeline }
    }

    /// Learns a higher term; refuses the event under a lower one.
    @discardableResult
    private mutating func obeys(_ asked: Term) -> Bool {
        guard asked >= term else {
            outbox.append(.refuse("term \(asked) is over: node \(node) has seen term \(term)"))
            return false
        }
        term = asked
        return true
    }

    // MARK: Stages

    private mutating func prepareAsked(_ assignment: StageAssignment, _ asked: Term) {
        guard obeys(asked) else { return }
        if let flaw = Self.flaw(of: assignment) {
            outbox.append(.refuse("the assignment of pipeline \(assignment.pipeline) is wrong: \(flaw)"))
            return
        }
        guard let index = index(of: assignment.pipeline) else {
            let place = stages.firstIndex { $0.assignment.pipeline > assignment.pipeline } ?? stages.count
            stages.insert(NodeStage(assignment, term: asked), at: place)
            return
        }
        let current = stages[index]
        if current.term == asked {
            guard assignment.epoch >= current.assignment.epoch else {
                outbox.append(
                    .refuse("epoch \(assignment.epoch) is over: node \(node) is in epoch \(current.assignment.epoch)"))
                return
            }
            if assignment.epoch == current.assignment.epoch {
                askedAgain(assignment, current)
                return
            }
        }
        dropQueue(of: assignment.pipeline, reason: "epoch \(assignment.epoch) is being prepared")
        stages[index].reassign(assignment, term: asked)
    }

    private mutating func askedAgain(_ assignment: StageAssignment, _ current: NodeStage) {
        guard assignment == current.assignment else {
            outbox.append(.refuse("epoch \(assignment.epoch) was prepared with another assignment already"))
            return
        }
        switch current.state {
        case .loading: break
        case .ready: outbox.append(.reportPrepared(assignment.pipeline, assignment.epoch, current.term))
        case .ended(let reason): outbox.append(.refuse("epoch \(assignment.epoch) has ended: \(reason)"))
        case .released: outbox.append(.refuse("epoch \(assignment.epoch) was released"))
        }
    }

    private static func flaw(of assignment: StageAssignment) -> String? {
        if assignment.units.layers.isEmpty { return "it has no layers" }
        if assignment.stageIndex < 0 || assignment.stageIndex >= assignment.stageCount {
            return "stage \(assignment.stageIndex) of \(assignment.stageCount)"
        }
        let isLast = assignment.stageIndex == assignment.stageCount - 1
        if (assignment.next == nil) != isLast { return isLast ? "the last stage has a next one" : "no next stage" }
        if assignment.units.hasHead != isLast || assignment.units.hasEmbedding != (assignment.stageIndex == 0) {
            return "the embedding belongs to the first stage and the head to the last"
        }
        if assignment.blockCount < 1 || assignment.blockCount > Int(UInt32.max) || assignment.rowCountMax < 1 {
            return "\(assignment.blockCount) blocks, \(assignment.rowCountMax) rows a step"
        }
        return nil
    }

    private mutating func releaseAsked(_ pipeline: PipelineID, _ epoch: Epoch, _ asked: Term) {
        guard obeys(asked) else { return }
        guard let index = index(of: pipeline) else { return }
        guard asked > stages[index].term || epoch >= stages[index].assignment.epoch else {
            outbox.append(
                .refuse("epoch \(epoch) is over: node \(node) is in epoch \(stages[index].assignment.epoch)"))
            return
        }
        dropQueue(of: pipeline, reason: "the stage is released")
        stages[index].state = .released
    }

    private mutating func loadEnded(_ pipeline: PipelineID, _ epoch: Epoch, failure: String?) {
        guard let index = index(of: pipeline), stages[index].isLoading, stages[index].held?.epoch == epoch else {
            return
        }
        stages[index].isLoading = false
        guard stages[index].assignment.epoch == epoch, case .loading = stages[index].state else { return }
        if let failure {
            stages[index].state = .ended(reason: failure)
            outbox.append(.reportFailed(pipeline, epoch, stages[index].term, reason: failure))
        } else {
            stages[index].state = .ready
            outbox.append(.reportPrepared(pipeline, epoch, stages[index].term))
        }
    }

    // MARK: Steps

    private mutating func stepArrived(_ step: Step, _ asked: Term, from sender: NodeID, at now: Instant) {
        guard obeys(asked) else { return }
        guard let index = index(of: step.pipeline) else {
            let reason = "node \(node) has no stage of pipeline \(step.pipeline)"
            outbox.append(.reportStepFailed(step.pipeline, step.epoch, step.number, asked, reason: reason))
            outbox.append(.refuse(reason))
            return
        }
        if let (reason, isReported) = stages[index].refusal(of: step, asked, from: sender) {
            if isReported {
                outbox.append(.reportStepFailed(step.pipeline, step.epoch, step.number, asked, reason: reason))
            }
            outbox.append(.refuse(reason))
            return
        }
        take(step, index, from: sender, at: now)
    }

    private mutating func take(_ step: Step, _ index: Int, from sender: NodeID, at now: Instant) {
        if let flaw = orderFlaw(of: step, stages[index]) {
            endEpoch(index, flaw, at: step.number, refuses: true)
            return
        }
        do throws(BlockTables.Flaw) {
            let blocks = try stages[index].tables.apply(step)
            stages[index].sender = sender
            stages[index].nextNumber = step.number.next
            queue.append(Queued(batch: StageBatch(step: step, blocks: blocks), since: now))
        } catch {
            endEpoch(index, error.reason, at: step.number, refuses: true)
        }
    }

    private func orderFlaw(of step: Step, _ stage: NodeStage) -> String? {
        if step.number != stage.nextNumber {
            return "step \(step.number) came where step \(stage.nextNumber) is due"
        }
        let rowCount = step.rowCount
        if rowCount > stage.assignment.rowCountMax {
            return "\(rowCount) rows, the most are \(stage.assignment.rowCountMax)"
        }
        if queue.count >= queuedStepCountMax { return "\(queue.count) steps are queued already" }
        return nil
    }

    private mutating func computeEnded(
        _ pipeline: PipelineID, _ epoch: Epoch, _ number: StepNumber,
        _ result: Result<[SequenceOutput], ComputeFailure>, at now: Instant
    ) {
        guard var step = computing, step.pipeline == pipeline, step.epoch == epoch, step.number == number else {
            return
        }
        computing = nil
        guard let index = index(of: pipeline), stages[index].isReady, stages[index].assignment.epoch == epoch else {
            outbox.append(.dropStep(pipeline, epoch, number, reason: "its epoch is over"))
            return
        }
        let stage = stages[index]
        switch result {
        case .failure(let failure):
            outbox.append(.dropStep(pipeline, epoch, number, reason: failure.reason))
            endEpoch(index, failure.reason, at: number, refuses: false)
        case .success(let outputs):
            step.stageNanoseconds.append((now - computingSince).nanoseconds)
            if let next = stage.assignment.next {
                outbox.append(.forward(step, stage.term, to: next))
            } else {
                var result = StepResult(pipeline: pipeline, epoch: epoch, number: number, outputs: outputs)
                result.stageNanoseconds = step.stageNanoseconds
                result.waitedNanoseconds = step.waitedNanoseconds
                outbox.append(.reportStep(result, stage.term))
            }
        }
    }

    // MARK: Ends of epochs

    private mutating func peerLost(_ peer: NodeID, reason: String) {
        for index in stages.indices where stages[index].isReady {
            let stage = stages[index]
            guard stage.assignment.next?.node == peer || stage.sender == peer else { continue }
            endEpoch(
                index, "the connection to node \(peer) is lost: \(reason)", at: stage.nextNumber, refuses: false)
        }
    }

    /// Weights stay: the next coordinator may want the same stages.
    private mutating func coordinatorLost() {
        for index in stages.indices {
            switch stages[index].state {
            case .loading, .ready:
                stages[index].state = .ended(reason: "the coordinator was lost")
                dropQueue(of: stages[index].assignment.pipeline, reason: "the coordinator was lost")
            case .ended, .released: break
            }
        }
    }

    private mutating func endEpoch(_ index: Int, _ reason: String, at number: StepNumber, refuses: Bool) {
        let stage = stages[index]
        stages[index].state = .ended(reason: reason)
        dropQueue(of: stage.assignment.pipeline, reason: reason)
        outbox.append(
            .reportStepFailed(
                stage.assignment.pipeline, stage.assignment.epoch, number, stage.term, reason: reason))
        if refuses { outbox.append(.refuse(reason)) }
    }

    private mutating func dropQueue(of pipeline: PipelineID, reason: String) {
        for queued in queue where queued.batch.step.pipeline == pipeline {
            outbox.append(.dropStep(pipeline, queued.batch.step.epoch, queued.batch.step.number, reason: reason))
        }
        queue.removeAll { $0.batch.step.pipeline == pipeline }
    }

    // MARK: Work for the shell

    /// Starts what was waiting for something else to end.
    private mutating func startWork(at now: Instant) {
        for index in stages.indices { startLoading(index) }
        stages.removeAll { stage in
            if case .released = stage.state { stage.held == nil } else { false }
        }
        if computing == nil, let queued = queue.popFirst() {
            computing = queued.batch.step
            computing?.waitedNanoseconds &+= (now - queued.since).nanoseconds
            computingSince = now
            outbox.append(.compute(queued.batch))
        }
    }

    /// Loads and unloads wait for the pipeline's step that computes and for the load that is under way.
    private mutating func startLoading(_ index: Int) {
        let stage = stages[index]
        let pipeline = stage.assignment.pipeline
        guard !stage.isLoading, computing?.pipeline != pipeline else { return }
        switch stage.state {
        case .ready, .ended: break
        case .released:
            if let held = stage.held { outbox.append(.unload(pipeline, held.epoch)) }
            stages[index].held = nil
        case .loading:
            if let held = stage.held, !Self.sharesWeights(held, stage.assignment) {
                outbox.append(.unload(pipeline, held.epoch))
            }
            stages[index].held = stage.assignment
            stages[index].isLoading = true
            outbox.append(.load(stage.assignment))
        }
    }

    private static func sharesWeights(_ old: StageAssignment, _ new: StageAssignment) -> Bool {
        old.units == new.units && old.modelFingerprint == new.modelFingerprint
    }
}
