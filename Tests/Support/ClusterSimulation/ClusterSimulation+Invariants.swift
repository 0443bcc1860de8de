import Orchestration
import Vocabulary

/// What must hold after every event.
extension ClusterSimulation {
    mutating func checkInvariants() {
        for audit in coordinator.audits where audit.isRunning {
            var isSeen = Array(repeating: false, count: audit.blockCount)
            var blockCount = 0
            for blocks in audit.heldBlocks + [audit.unheldBlocks] {
                for block in blocks {
                    if isSeen[Int(block.rawValue)] { report("block \(block) is held twice") }
                    isSeen[Int(block.rawValue)] = true
                    blockCount += 1
                }
            }
            if blockCount != audit.blockCount { report("\(blockCount) of \(audit.blockCount) blocks are there") }
            if audit.stepsInFlight > audit.stepsInFlightMax { report("\(audit.stepsInFlight) steps in flight") }
            if audit.runningCount > options.settings.runningSequenceCountMax { report("too many sequences run") }
            if audit.runningCount + audit.waitingCount != audit.requestCount { report("a request is forgotten") }
            if audit.stepsInFlight == 0, audit.requestCount > 0 { report("requests, and no step in flight") }
        }
    }

    mutating func checkStep(_ step: Step) {
        if step.rowCount > options.settings.stepRowCountMax || step.rowCount == 0 {
            report("step \(step.number) has \(step.rowCount) rows")
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
            if audit.unheldBlocks.count != audit.blockCount { report("blocks are held by nobody") }
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
