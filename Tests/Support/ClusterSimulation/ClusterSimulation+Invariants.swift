import Orchestration
import Vocabulary

/// What must hold after every event.
extension ClusterSimulation {
    mutating func checkInvariants() {
        let audits = coordinator.audits
        let models = coordinator.modelAudits
        checkFairness(models)
        for model in models { check(model, audits.filter { model.pipelines.contains($0.pipeline) }) }
        for audit in audits where audit.isRunning {
            checkBlocks(audit)
            if audit.stepsInFlight > audit.stepsInFlightMax { report("\(audit.stepsInFlight) steps in flight") }
            if audit.running.count != audit.requestCount { report("a request is forgotten") }
            if audit.stepsInFlight == 0, audit.requestCount > 0 { report("requests, and no step in flight") }
        }
    }

    /// What must hold of the replicas of a model together.
    private mutating func check(_ model: CoordinatorCore.ModelAudit, _ audits: [CoordinatorCore.PipelineAudit]) {
        let due = ledgers.count { $0.request.model == model.model && !$0.hasEnded && $0.state != .asked }
        if model.keptCount != model.waitingCount || due != model.waitingCount + model.runningCount {
            report("\(due) requests of \(model.model) have not ended, and \(model) has others")
        }
        var nodes: Set<NodeID> = []
        for audit in audits where !audit.isWaiting {
            for node in audit.stageNodes where !nodes.insert(node).inserted {
                report("two replicas of \(model.model) are on \(node)")
            }
        }
        for audit in audits where audit.isRunning {
            if audit.running.count > model.limits.runningSequenceCountMax { report("too many sequences run") }
            if model.waitingCount > 0, audit.running.count == 0, audit.stepsInFlight == 0 {
                report("requests of \(model.model) wait while pipeline \(audit.pipeline) has nothing to do")
            }
        }
    }

    /// A flow's first request is passed by one request of every other flow at most.
    private mutating func checkFairness(_ models: [CoordinatorCore.ModelAudit]) {
        let new = models.flatMap(\.begun).filter { begun.insert($0).inserted }
        // What began by the same event as the waiting one may have begun after it.
        firstWaiting.removeAll { begun.contains($0) || ledgers[Int($0.rawValue) - 1].hasEnded }
        for id in firstWaiting {
            let index = Int(id.rawValue) - 1
            for other in new where ledgers[Int(other.rawValue) - 1].request.model == ledgers[index].request.model {
                let flow = ledgers[Int(other.rawValue) - 1].flow
                ledgers[index].overtakings[flow, default: 0] += 1
                if ledgers[index].overtakings[flow] ?? 0 > 1 { report("request \(id) is passed by two of \(flow)") }
            }
        }
    }

    /// No more can be found in the cache than others of the same model and salt have in common with the request.
    mutating func checkCachedTokens(_ count: Int, of id: RequestID) {
        let index = Int(id.rawValue) - 1
        let request = ledgers[index].request
        var commonCount = 0
        for (other, ledger) in ledgers.enumerated() where other != index {
            guard ledger.request.model == request.model, ledger.request.cacheSalt == request.cacheSalt else { continue }
            let tokens = ledger.request.prompt + (ledger.reference?.output.map(\.token) ?? [])
            commonCount = max(commonCount, zip(tokens, request.prompt).prefix { $0 == $1 }.count)
        }
        let isPossible = count % BlockID.positionCount == 0 && count <= commonCount && count < request.prompt.count
        if !isPossible || count > 0 && (!request.reusesPrefix || request.scoresPrompt && request.prompt.count > 1) {
            report("request \(id) found \(count) tokens in the cache, of \(commonCount) at most")
        }
    }

    /// Every block is free, cached or referenced, by exactly as many as refer to it.
    private mutating func checkBlocks(_ audit: CoordinatorCore.PipelineAudit) {
        var references: [Int32] = Array(repeating: 0, count: audit.blockCount)
        var isOpen = Array(repeating: false, count: audit.blockCount)
        for (blocks, sealedCount) in zip(audit.heldBlocks, audit.sealedBlockCounts) {
            for (index, block) in blocks.enumerated() {
                let number = Int(block.rawValue)
                let isSealed = index < sealedCount
                if references[number] > 0, isOpen[number] || !isSealed { report("block \(block) is shared unsealed") }
                if !isSealed { isOpen[number] = true }
                references[number] += 1
            }
        }
        for (after, blocks) in audit.pool.retiring {
            if after < audit.oldestStepInFlight ?? .init(.max) { report("blocks wait for step \(after), long gone") }
            for block in blocks { references[Int(block.rawValue)] += 1 }
        }
        var placeCounts = references.map { $0 > 0 ? 1 : 0 }
        for block in audit.pool.free + audit.pool.cached { placeCounts[Int(block.rawValue)] += 1 }
        if let block = placeCounts.firstIndex(where: { $0 != 1 }) {
            report("block \(block) is in \(placeCounts[block]) places")
        }
        if references != audit.pool.references { report("references \(audit.pool.references), due are \(references)") }
        if audit.pool.cached.contains(where: { !audit.pool.isNamed[Int($0.rawValue)] })
            || audit.pool.free.contains(where: { audit.pool.isNamed[Int($0.rawValue)] })
            || audit.pool.isNamed.count(where: { $0 }) != audit.pool.nameCount
        {
            report("names and blocks of the cache do not agree")
        }
    }

    mutating func checkStep(_ step: Step) {
        if step.rowCount > pipelineLimits[step.pipeline]?.stepRowCountMax ?? 0 || step.rowCount == 0 {
            report("step \(step.number) has \(step.rowCount) rows")
        }
        if stepsInFlight[step.pipeline] == nil { statistics.busyPipelineCount += 1 }
        for rows in step.sequences where rows.introduction != nil {
            let home = homes.updateValue(step.pipeline, forKey: rows.sequence)
            if let home, home != step.pipeline { statistics.moveCount += 1 }
        }
        if let flaw = stepsInFlight[step.pipeline, default: StepsInFlight()].begin(step) {
            report("step \(step.number): \(flaw)")
        }
    }

    /// When nothing is left to do.
    mutating func checkRest() {
        guard problems.isEmpty else { return }
        for (index, ledger) in ledgers.enumerated() where !ledger.hasEnded {
            report("request \(index + 1) never ended")
        }
        for audit in coordinator.audits where audit.isRunning {
            if audit.pool.free.count + audit.pool.cached.count != audit.blockCount { report("blocks are leaked") }
            if audit.requestCount != 0 || audit.pendingRowCount != 0 { report("something is left: \(audit)") }
            if stepsInFlight[audit.pipeline]?.sequenceCount(in: audit.epoch) ?? 0 != audit.endedToTellCount {
                report("the stages know sequences that they will not be told to forget")
            }
        }
        for node in nodes where node.isAlive && !(node.inputs.isEmpty && node.outputs.isEmpty) {
            report("\(node.id) keeps hidden states of \(node.inputs.count + node.outputs.count) steps")
        }
    }
}
