import Vocabulary

/// From nodes to a running pipeline.
extension Pipeline {
    /// No plan can be had now.
    mutating func wait(_ reason: String) {
        if case .waiting(reason) = phase { return }
        phase = .waiting(reason: reason)
        note(.info, reason)
    }

    /// Another replica gets these nodes: what this one has there goes, and with it the plan to come back to.
    mutating func yield(_ nodes: [NodeID], among connected: [NodeDescription]) {
        for node in nodes where holders.contains(node) {
            holders.removeAll { $0 == node }
            if connected.contains(where: { $0.node == node }) { outbox.append(.release(node, id, epoch)) }
        }
        if nodes.contains(where: { plan?.stageIndex(of: $0) != nil }) { plan = nil }
    }

    mutating func prepare(_ plan: PipelinePlan, on nodes: [NodeDescription], at now: Instant) {
        self.plan = plan
        epoch = epoch.next
        isPrepared = Array(repeating: false, count: plan.stages.count)
        phase = .loading(progressAt: now)
        let places = plan.stages.map { stage in
            "\(stage.node) layers \(stage.units.layers.lowerBound)-\(stage.units.layers.upperBound - 1)"
        }
        note(.info, "epoch \(epoch): \(places.joined(separator: ", ")); \(plan.blockCount) blocks of KV")
        releaseStrays(among: nodes)
        for index in plan.stages.indices.reversed() {
            let stage = plan.stages[index]
            if !holders.contains(stage.node) { holders.append(stage.node) }
            let isLast = index == plan.stages.count - 1
            let assignment = StageAssignment(
                pipeline: id, epoch: epoch, stageIndex: index, stageCount: plan.stages.count, model: model.name,
                modelFingerprint: model.fingerprint, units: stage.units, blockCount: plan.blockCount,
                rowCountMax: limits.stepRowCountMax,
                next: isLast ? nil : Self.address(of: plan.stages[index + 1].node, among: nodes),
                previous: index == 0 ? nil : plan.stages[index - 1].node)
            outbox.append(.prepare(stage.node, assignment))
        }
    }

    private static func address(of node: NodeID, among nodes: [NodeDescription]) -> PeerAddress? {
        nodes.first { $0.node == node }.map { PeerAddress(node: node, host: $0.host, port: $0.port) }
    }

    /// Frees what connected nodes hold of this pipeline without being in its plan.
    mutating func releaseStrays(among nodes: [NodeDescription]) {
        guard isRunning || isLoading, let plan else { return }
        let strays = holders.filter { holder in
            plan.stageIndex(of: holder) == nil && nodes.contains { $0.node == holder }
        }
        for stray in strays {
            outbox.append(.release(stray, id, epoch))
            holders.removeAll { $0 == stray }
        }
    }

    // MARK: Reports of stages

    mutating func stagePrepared(_ node: NodeID, _ reported: Epoch, at now: Instant) {
        guard isLoading, reported == epoch, let index = plan?.stageIndex(of: node) else {
            note(.debug, "ignored that \(node) is prepared for epoch \(reported)")
            return
        }
        isPrepared[index] = true
        phase = .loading(progressAt: now)
        if isPrepared.allSatisfy({ $0 }) { start() }
    }

    mutating func stageProgressed(_ node: NodeID, _ reported: Epoch, at now: Instant) {
        guard isLoading, reported == epoch, plan?.stageIndex(of: node) != nil else { return }
        phase = .loading(progressAt: now)
    }

    mutating func stageFailed(_ node: NodeID, _ reported: Epoch, reason: String, at now: Instant) {
        guard isLoading || isRunning, reported == epoch, plan?.stageIndex(of: node) != nil else {
            note(.debug, "ignored that \(node) failed to prepare for epoch \(reported): \(reason)")
            return
        }
        fail("node \(node) could not load its stage: \(reason)", at: now)
    }

    /// The epoch ends, and the same is tried again after a while.
    private mutating func fail(_ reason: String, at now: Instant) {
        endEpoch(reason)
        needsForming = false
        phase = .failed(reason: reason, retryAt: now + settings.loadRetryDelay)
        note(.warning, "\(reason); trying again in \(settings.loadRetryDelay.seconds) s")
    }

    private mutating func start() {
        guard let plan else { return }
        pool = BlockPool(blockCount: plan.blockCount)
        positionCountMax = min(
            limits.contextTokenCount(of: model),
            plan.blockCount.multipliedReportingOverflow(by: BlockID.positionCount).partialValue)
        nextNumber = .first
        phase = .running
        note(.info, "epoch \(epoch) runs on \(plan.stages.count) node\(plan.stages.count == 1 ? "" : "s")")
        times = PipelineTimes(stageCount: plan.stages.count)
        needsScheduling = true
    }

    // MARK: Deadlines

    var nextDeadline: Instant? {
        switch phase {
        case .waiting: nil
        case .loading(let progressAt): progressAt + settings.prepareDeadline
        case .failed(_, let retryAt): retryAt
        case .running: inFlight.isEmpty ? nil : oldestSince + settings.stepDeadline
        }
    }

    mutating func deadlinePassed(at now: Instant) {
        guard let deadline = nextDeadline, deadline <= now else { return }
        switch phase {
        case .waiting: break
        case .loading:
            let missing = zip(plan?.stages ?? [], isPrepared).filter { !$0.1 }.map { "\($0.0.node)" }
            fail(
                "no sign of loading from \(missing.joined(separator: ", ")) within "
                    + "\(settings.prepareDeadline.seconds) s", at: now)
        case .failed: needsForming = true
        case .running:
            let number = inFlight.first?.number ?? nextNumber
            endEpoch("step \(number) had no result within \(settings.stepDeadline.seconds) s")
        }
    }
}
