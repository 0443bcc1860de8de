import Vocabulary

/// How requests end before they are done, and what becomes of those that wait.
extension ModelReplicas {
    mutating func requestCancelled(_ request: RequestID, at now: Instant) {
        let failure = GenerationFailure(.cancelled, "the request was cancelled")
        end(SequenceID(request.rawValue), .failed(failure), at: now)
    }

    /// The last event of a request that waits or runs; everything it holds goes.
    mutating func end(_ id: SequenceID, _ event: GenerationEvent, at now: Instant) {
        if let sequence = sequences.removeValue(forKey: id) {
            if sequence.hasBegun {
                preempted.removeAll { $0 == id }
                noteEnd(of: sequence, at: now)
            } else {
                waiting.remove(id)
            }
            emit(id, event)
        } else if let index = pipelines.firstIndex(where: { $0.sequences[id] != nil }) {
            pipelines[index].end(id, event)
            drain(index, at: now)
        }
    }

    mutating func noteEnd(of sequence: SequenceState, at now: Instant) {
        let cost = sequence.promptTokenCount + sequence.outputTokenCount
        waiting.correct(sequence.flow, by: cost - sequence.expectedCost)
        if let newestEnd, waitingCount > 0 {
            let seconds = (now - newestEnd).seconds
            secondsBetweenEnds = secondsBetweenEnds.map { $0 * 0.9 + seconds * 0.1 } ?? seconds
        }
        newestEnd = now
    }

    /// Where the request is; nil when it has ended.
    private func sequence(_ id: SequenceID) -> SequenceState? {
        if let sequence = sequences[id] { return sequence }
        return pipelines.lazy.compactMap { $0.sequences[id] }.first
    }

    // MARK: Time limits

    mutating func setDeadline(of sequence: inout SequenceState, at now: Instant) {
        let spans = [sequence.request.timeLimit, limits.requestTimeLimit].compactMap { $0 }
        guard let limit = spans.min() else { return }
        let deadline = now + limit
        sequence.deadline = deadline
        deadlines.insert(Deadline(at: deadline, id: sequence.id))
        if deadlines.count > 2 * (sequences.count + runningCount) + 64 {
            let replicas = self
            deadlines.removeAll { replicas.sequence($0.id) == nil }
        }
    }

    mutating func endOverdueRequests(at now: Instant) {
        while let deadline = deadlines.first, deadline.at <= now {
            deadlines.removeFirst()
            guard let sequence = sequence(deadline.id) else { continue }
            let state = sequence.hasBegun ? "\(sequence.outputTokenCount) tokens of output were made" : "it had to wait"
            end(
                deadline.id,
                .failed(GenerationFailure(.timedOut, "the request's time limit has passed; \(state) until then")),
                at: now)
        }
    }

    // MARK: Lost service

    /// No pipeline has run for too long.
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

    /// The roomiest pipeline now may have a smaller pool than the one for which a waiting request was accepted.
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
