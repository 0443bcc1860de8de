import Orchestration
import Vocabulary

/// The nodes' shells.
extension ClusterSimulation {
    mutating func nodeRegisters(_ index: Int) {
        guard nodes[index].isAlive, !nodes[index].isRegistered, !isPutOff(index, .nodeRegisters(index)) else { return }
        nodes[index].isRegistered = true
        tell(.nodeRegistered(nodes[index].description))
        tellNode(index, nodes[index].incarnation, .registered(coordinator.term))
    }

    mutating func nodeStarts(_ index: Int) {
        guard !nodes[index].isAlive else { return }
        let old = nodes[index]
        // It measures itself anew.
        let speed = Double.random(in: 1e9...9e9, using: &random)
        nodes[index] = SimulatedNode(Self.description(index, Incarnation(random.next()), speed: speed))
        nodes[index].weightLoadCount = old.weightLoadCount
        nodeRegisters(index)
    }

    /// Puts an event off while the node is stopped.
    private mutating func isPutOff(_ index: Int, _ event: SimulatedEvent) -> Bool {
        guard nodes[index].hungUntil > now else { return false }
        schedule.add(event, at: nodes[index].hungUntil)
        return true
    }

    mutating func tellNode(_ index: Int, _ incarnation: Incarnation, _ event: NodeEvent) {
        guard nodes[index].isAlive, nodes[index].incarnation == incarnation else { return }
        guard !isPutOff(index, .nodeHears(index, incarnation, event)) else { return }
        for command in nodes[index].core.handle(event, at: now) { execute(command, on: index) }
        if case .coordinatorLost = event {
            // The old connection is done with before there is a new one.
            nodes[index].isRegistered = false
            schedule.add(.nodeRegisters(index), at: later(3_001...60_000))
        }
    }

    mutating func receive(_ index: Int, _ event: NodeEvent, _ hidden: [UInt64]?, _ link: Links.Use) {
        guard nodes[index].isAlive else { return }
        guard !isPutOff(index, .nodeReceives(index, event, hidden: hidden, link)) else { return }
        let commands = nodes[index].core.handle(event, at: now)
        let isRefused = commands.contains { if case .refuse = $0 { true } else { false } }
        if case .stepArrived(let step, _, _) = event, !isRefused {
            nodes[index].inputs[Self.key(of: step)] = hidden
        }
        for command in commands { execute(command, on: index) }
        if case .prepareAsked(let assignment, let term) = event, isRefused {
            send(.stageFailed(nodes[index].id, assignment.pipeline, assignment.epoch, term, reason: "refused"), index)
        }
    }

    private static func key(of step: Step) -> SimulatedNode.StepKey {
        SimulatedNode.StepKey(pipeline: step.pipeline, epoch: step.epoch, number: step.number)
    }

    private mutating func execute(_ command: NodeCommand, on index: Int) {
        let (id, incarnation) = (nodes[index].id, nodes[index].incarnation)
        switch command {
        case .load(let assignment):
            let fails = options.faultCount > 0 && random.chance(0.02)
            schedule.add(.nodeLoads(index, incarnation, assignment, fails: fails), at: later(50...20_000))
        case .unload(let pipeline, _): nodes[index].stages[pipeline] = nil
        case .compute(let batch):
            let microseconds = 50 + UInt64(batch.step.rowCount) * 10
            schedule.add(.nodeComputes(index, incarnation, batch), at: later(microseconds...(2 * microseconds)))
        case .forward(let step, let term, let next): forward(step, term, to: next, from: index)
        case .reportPrepared(let pipeline, let epoch, let term):
            send(.stagePrepared(id, pipeline, epoch, term), index)
        case .reportFailed(let pipeline, let epoch, let term, let reason):
            send(.stageFailed(id, pipeline, epoch, term, reason: reason), index)
        case .reportStep(let result, let term): send(.stepFinished(id, result, term), index)
        case .reportStepFailed(let pipeline, let epoch, let number, let term, let reason):
            if options.faultCount == 0 { report("step \(number) failed without a fault: \(reason)") }
            send(.stepFailed(id, pipeline, epoch, number, term, reason: reason), index)
        case .dropStep(let pipeline, let epoch, let number, _):
            let key = SimulatedNode.StepKey(pipeline: pipeline, epoch: epoch, number: number)
            nodes[index].inputs[key] = nil
            nodes[index].outputs[key] = nil
        case .refuse(let reason):
            if options.faultCount == 0 { report("refused without a fault: \(reason)") }
        }
    }

    private mutating func send(_ event: CoordinatorEvent, _ index: Int) {
        guard nodes[index].isRegistered else { return }
        let link = links.current(from: index, to: nil)
        schedule.add(.coordinatorReceives(event, link), at: links.arrival(on: link, after: later(20...400)))
    }

    private mutating func forward(_ step: Step, _ term: Term, to next: PeerAddress, from index: Int) {
        let hidden = nodes[index].outputs.removeValue(forKey: Self.key(of: step))
        guard let hidden else { return report("no hidden states of step \(step.number) to forward") }
        guard let peer = nodes.firstIndex(where: { $0.id == next.node }) else { return report("no node \(next)") }
        guard nodes[peer].isAlive else {
            schedule.add(
                .nodeHears(index, nodes[index].incarnation, .peerLost(next.node, reason: "not there")),
                at: later(1...50))
            return
        }
        let link = links.current(from: index, to: peer)
        schedule.add(
            .nodeReceives(peer, .stepArrived(step, term, from: nodes[index].id), hidden: hidden, link),
            at: links.arrival(on: link, after: later(20...400)))
    }

    // MARK: Work that ends

    mutating func nodeComputes(_ index: Int, _ incarnation: Incarnation, _ batch: StageBatch) {
        guard nodes[index].isAlive, nodes[index].incarnation == incarnation else { return }
        guard !isPutOff(index, .nodeComputes(index, incarnation, batch)) else { return }
        let step = batch.step
        let key = Self.key(of: step)
        let input = nodes[index].inputs.removeValue(forKey: key)
        guard nodes[index].stages[step.pipeline]?.assignment.epoch == step.epoch else {
            return report("\(nodes[index].id) computes step \(step.number) of epoch \(step.epoch) without that stage")
        }
        guard let result = nodes[index].stages[step.pipeline]?.run(batch, input: input) else { return }
        if nodes[index].stages[step.pipeline]?.assignment.units.hasHead == false {
            nodes[index].outputs[key] = result.hidden
        }
        tellNode(index, incarnation, .computed(step.pipeline, step.epoch, step.number, outputs: result.outputs))
    }

    mutating func nodeLoads(_ index: Int, _ incarnation: Incarnation, _ assignment: StageAssignment, fails: Bool) {
        guard nodes[index].isAlive, nodes[index].incarnation == incarnation else { return }
        guard !isPutOff(index, .nodeLoads(index, incarnation, assignment, fails: fails)) else { return }
        if fails {
            tellNode(index, incarnation, .loadFailed(assignment.pipeline, assignment.epoch, reason: "bad luck"))
            return
        }
        guard let model = models.first(where: { $0.profile.name == assignment.model }) else { return }
        let held = nodes[index].stages[assignment.pipeline]
        if let held, held.assignment.units != assignment.units {
            report("\(nodes[index].id) loads other units without having unloaded")
        }
        if held == nil {
            nodes[index].weightLoadCount += 1
            statistics.weightLoadCount += 1
        }
        nodes[index].stages[assignment.pipeline] = SimulatedStage(assignment, model: model)
        tellNode(index, incarnation, .loaded(assignment.pipeline, assignment.epoch))
    }
}
