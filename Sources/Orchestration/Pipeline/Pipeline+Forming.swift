import Vocabulary

/// From nodes to a running pipeline.
extension Pipeline {
    /// Plans and prepares the stages, if the nodes suffice.
    ///
    /// - Parameters:
    ///   - nodes: those connected, in order of their names.
    ///   - sharerCount: models that are not placed yet, this one among them.
    ///   - usedBytes: what other pipelines hold of a node.
    mutating func form(
        on nodes: [NodeDescription], sharerCount: Int, usedBytes: (NodeID) -> UInt64, at now: Instant
    ) {
        needsForming = false
        guard nodes.count >= max(1, settings.nodeCountMin) else {
            wait("waiting for nodes: \(nodes.count) of \(max(1, settings.nodeCountMin)) are connected")
            return
        }
        let planned = nodes.map { node in
            let usable = UInt64(Double(node.memoryLimitBytes) * (1 - headroomFraction))
            let used = min(usable, usedBytes(node.node))
            return PipelinePlanner.Node(
                id: node.node, memoryBytes: usable - used, readBytesPerSecond: node.readBytesPerSecond,
                multiplyAddsPerSecond: node.multiplyAddsPerSecond)
        }
        if let plan, Self.holds(plan, on: planned) {
            prepare(plan, on: nodes, at: now)
            return
        }
        do throws(PlanningFailure) {
            let plan = try PipelinePlanner.plan(model, on: planned, blocks: blockDemand(sharerCount: sharerCount))
            prepare(plan, on: nodes, at: now)
        } catch {
            wait(error.reason)
        }
    }

    private var headroomFraction: Double { min(max(settings.memoryHeadroomFraction, 0), 0.95) }

    private mutating func wait(_ reason: String) {
        if case .waiting(reason) = phase { return }
        phase = .waiting(reason: reason)
        note(.info, reason)
    }

    /// The plan that was is kept where it can be: its nodes have the weights.
    private static func holds(_ plan: PipelinePlan, on nodes: [PipelinePlanner.Node]) -> Bool {
        plan.stages.allSatisfy { stage in
            guard let node = nodes.first(where: { $0.id == stage.node }) else { return false }
            return plan.memoryBytes(on: stage.node) <= node.memoryBytes
        }
    }

    private func blockDemand(sharerCount: Int) -> PipelinePlanner.BlockDemand {
        let context = max(1, contextTokenCount)
        let largest = max(1, settings.kvTokenCountMax ?? context.multipliedReportingOverflow(by: 4).partialValue)
        // A pool smaller than the context still serves shorter requests; one too small to be of use does not.
        let wanted = min(context, largest)
        return PipelinePlanner.BlockDemand(
            minimum: BlockPool.blockCount(positionCount: min(wanted, 2048)),
            wanted: BlockPool.blockCount(positionCount: wanted),
            maximum: min(BlockPool.blockCount(positionCount: largest), Int(UInt32.max)), sharerCount: sharerCount)
    }

    private mutating func prepare(_ plan: PipelinePlan, on nodes: [NodeDescription], at now: Instant) {
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
                rowCountMax: settings.stepRowCountMax,
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
        if isPrepared.allSatisfy({ $0 }) { start(at: now) }
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
        endEpoch(reason, at: now)
        needsForming = false
        phase = .failed(reason: reason, retryAt: now + settings.loadRetryDelay)
        note(.warning, "\(reason); trying again in \(settings.loadRetryDelay.seconds) s")
    }

    private mutating func start(at now: Instant) {
        guard let plan else { return }
        pool = BlockPool(blockCount: plan.blockCount)
        positionCountMax = min(
            contextTokenCount, plan.blockCount.multipliedReportingOverflow(by: BlockID.positionCount).partialValue)
        nextNumber = .first
        phase = .running
        downSince = nil
        note(.info, "epoch \(epoch) runs on \(plan.stages.count) node\(plan.stages.count == 1 ? "" : "s")")
        times = PipelineTimes(stageCount: plan.stages.count)
        refuseWhatNoLongerFits(at: now)
        schedule(at: now)
    }

    // MARK: Deadlines

    var nextDeadline: Instant? {
        [phaseDeadline, nextRequestDeadline].compactMap { $0 }.min()
    }

    private var phaseDeadline: Instant? {
        var deadline: Instant?
        switch phase {
        case .waiting: break
        case .loading(let progressAt): deadline = progressAt + settings.prepareDeadline
        case .failed(_, let retryAt): deadline = retryAt
        case .running: return inFlight.isEmpty ? nil : oldestSince + settings.stepDeadline
        }
        if let downSince, waitingCount > 0 {
            let limit = downSince + settings.waitingDeadline
            deadline = deadline.map { min($0, limit) } ?? limit
        }
        return deadline
    }

    mutating func deadlinePassed(at now: Instant) {
        if !isRunning, let downSince, downSince + settings.waitingDeadline <= now { giveUpWaiting() }
        endOverdueRequests(at: now)
        guard let deadline = phaseDeadline, deadline <= now else { return }
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
            endEpoch("step \(number) had no result within \(settings.stepDeadline.seconds) s", at: now)
        }
    }
}
