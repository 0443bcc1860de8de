import DequeModule
import Vocabulary

/// The end of an epoch: a lost node, a failed step, a deadline.
extension Pipeline {
    /// - Parameter isReplaced: a new process goes by the node's name: it holds nothing.
    mutating func nodeLost(_ node: NodeID, reason: String, isReplaced: Bool) {
        if isReplaced { holders.removeAll { $0 == node } }
        if plan?.stageIndex(of: node) != nil {
            switch phase {
            case .running, .loading: endEpoch("node \(node) was lost (\(reason))")
            case .failed, .waiting: break
            }
        }
        if case .waiting = phase { needsForming = true }
    }

    mutating func nodeJoined(among nodes: [NodeDescription]) {
        if case .waiting = phase { needsForming = true }
        releaseStrays(among: nodes)
    }

    mutating func stepFailed(_ node: NodeID, _ reported: Epoch, _ number: StepNumber, reason: String) {
        // A stage that is ready can lose its peer while others still load.
        guard isRunning || isLoading, reported == epoch, plan?.stageIndex(of: node) != nil else {
            note(.debug, "ignored that step \(number) of epoch \(reported) failed on \(node): \(reason)")
            return
        }
        endEpoch("step \(number) failed on node \(node): \(reason)")
    }

    /// Running requests fail; the stages are to be prepared anew.
    mutating func endEpoch(_ reason: String) {
        note(running.isEmpty ? .warning : .error, "epoch \(epoch) ends: \(reason)")
        for id in running {
            emit(
                id,
                .failed(
                    GenerationFailure(
                        .interrupted,
                        "the generation was interrupted: \(reason). Send the request again: "
                            + "the cluster goes on as soon as its nodes suffice")))
        }
        running = []
        sequences = [:]
        promptQueue = []
        decodeQueue = []
        promptSequenceCount = 0
        promptRowsPending = 0
        promptRowsInFlight = 0
        inFlight = []
        decodeStepsInFlight = 0
        endedToTell = []
        // No step of the next epoch meets one of this: all blocks are free again when it starts.
        pool = BlockPool(blockCount: 0)
        isPrepared = Array(repeating: false, count: isPrepared.count)
        phase = .waiting(reason: reason)
        needsForming = true
    }
}
