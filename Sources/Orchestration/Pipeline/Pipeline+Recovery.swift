import DequeModule
import Vocabulary

/// The end of an epoch: a lost node, a failed step, a deadline.
extension Pipeline {
    /// - Parameter isReplaced: a new process goes by the node's name: it holds nothing.
    mutating func nodeLost(_ node: NodeID, reason: String, isReplaced: Bool, at now: Instant) {
        if isReplaced { holders.removeAll { $0 == node } }
        if plan?.stageIndex(of: node) != nil {
            switch phase {
            case .running, .loading: endEpoch("node \(node) was lost (\(reason))", at: now)
            case .failed, .waiting: break
            }
        }
        if case .waiting = phase { needsForming = true }
    }

    mutating func nodeJoined(among nodes: [NodeDescription]) {
        if case .waiting = phase { needsForming = true }
        releaseStrays(among: nodes)
    }

    mutating func stepFailed(_ node: NodeID, _ reported: Epoch, _ number: StepNumber, reason: String, at now: Instant) {
        // A stage that is ready can lose its peer while others still load.
        guard isRunning || isLoading, reported == epoch, plan?.stageIndex(of: node) != nil else {
            note(.debug, "ignored that step \(number) of epoch \(reported) failed on \(node): \(reason)")
            return
        }
        endEpoch("step \(number) failed on node \(node): \(reason)", at: now)
    }

    /// Running requests fail, waiting ones wait on; the stages are to be prepared anew.
    mutating func endEpoch(_ reason: String, at now: Instant) {
        note(running.isEmpty ? .warning : .error, "epoch \(epoch) ends: \(reason)")
        if isRunning { downSince = now }
        for id in running {
            sequences[id] = nil
            emit(
                id,
                .failed(
                    GenerationFailure(
                        .interrupted,
                        "the generation was interrupted: \(reason). Send the request again: "
                            + "the cluster goes on as soon as its nodes suffice")))
        }
        running = []
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

    /// The pipeline has been down too long.
    mutating func giveUpWaiting() {
        let message =
            "model \(model.name) has not been served for \(settings.waitingDeadline.seconds) s: "
            + (downReason ?? "unknown")
        for id in preempted + waiting.all {
            let hasBegun = sequences[id]?.hasBegun ?? false
            sequences[id] = nil
            emit(id, .failed(GenerationFailure(hasBegun ? .interrupted : .unavailable, message)))
        }
        preempted = []
        waiting = FairQueue()
    }

    /// A new plan's pool may be smaller than the one for which a waiting request was accepted.
    mutating func refuseWhatNoLongerFits(at now: Instant) {
        for id in preempted + waiting.all {
            guard let sequence = sequences[id] else { continue }
            let room = positionCountMax - sequence.promptTokenCount
            let leastGrowth = sequence.outputTokenCountMax == 0 ? 0 : 1
            if sequence.tokens.count + leastGrowth > positionCountMax
                || sequence.request.outputTokenCountMin > room
            {
                end(
                    id,
                    .failed(
                        GenerationFailure(
                            .unavailable,
                            "the KV pool of model \(model.name) has shrunk to \(positionCountMax) positions "
                                + "and cannot hold this request any more: raise the nodes' memory limits")),
                    at: now)
            } else {
                sequences[id]?.outputTokenCountMax = min(sequence.outputTokenCountMax, room)
            }
        }
    }
}
