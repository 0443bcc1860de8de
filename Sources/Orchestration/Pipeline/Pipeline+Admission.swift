import DequeModule
import Vocabulary

/// Which requests come in, and when they begin.
extension Pipeline {
    mutating func requestArrived(_ request: RequestID, _ generation: GenerationRequest, at now: Instant) {
        let id = SequenceID(request.rawValue)
        if let failure = refusal(of: generation) {
            emit(id, .failed(failure))
            return
        }
        let room = positionCountMax - generation.prompt.count
        var sequence = SequenceState(
            id: id, request: generation, model: model,
            outputTokenCountMax: min(generation.outputTokenCountMax ?? room, room))
        guard waiting.count < settings.waitingRequestCountMax || canBegin(&sequence) else {
            emit(
                id,
                .failed(
                    GenerationFailure(
                        .overloaded,
                        "\(waiting.count) requests wait already for model \(model.name): try again later")))
            return
        }
        emit(id, .accepted(request))
        if generation.scoresPrompt, sequence.promptScoreCount == 0 { emit(id, .promptScored([])) }
        if sequence.outputTokenCountMax == 0, sequence.promptScoreCount == 0 {
            emit(id, .finished(.length, sequence.usage(at: now)))
            return
        }
        sequences[id] = sequence
        waiting.append(id)
        schedule(at: now)
    }

    mutating func requestCancelled(_ request: RequestID, at now: Instant) {
        let id = SequenceID(request.rawValue)
        guard sequences[id] != nil else { return }
        end(id, .failed(GenerationFailure(.cancelled, "the request was cancelled")))
        schedule(at: now)
    }

    // MARK: Checks

    /// Why the request can never be served, or not now.
    private func refusal(of request: GenerationRequest) -> GenerationFailure? {
        if let message = flaw(of: request) { return GenerationFailure(.invalid, message) }
        if let message = excess(of: request, over: contextTokenCount, what: "the context of model \(model.name)") {
            return GenerationFailure(.invalid, message)
        }
        if let downReason {
            return GenerationFailure(.unavailable, "model \(model.name) is not served now: \(downReason)")
        }
        if let message = excess(of: request, over: positionCountMax, what: "the KV pool of model \(model.name)") {
            return GenerationFailure(.invalid, message + " (more memory for the nodes makes the pool larger)")
        }
        return nil
    }

    private func flaw(of request: GenerationRequest) -> String? {
        if request.prompt.isEmpty { return "the prompt has no tokens: at least one is needed" }
        if let index = request.prompt.firstIndex(where: { $0 < 0 || Int($0) >= model.vocabularySize }) {
            return "token \(request.prompt[index]) at position \(index) of the prompt is outside the vocabulary of "
                + "model \(model.name): tokens go from 0 to \(model.vocabularySize - 1)"
        }
        if let most = request.outputTokenCountMax, most < 0 {
            return "the longest output is \(most) tokens: it must be at least 0"
        }
        if request.outputTokenCountMin < 0 {
            return "the shortest output is \(request.outputTokenCountMin) tokens: it must be at least 0"
        }
        if let most = request.outputTokenCountMax, request.outputTokenCountMin > most {
            return "the shortest output, \(request.outputTokenCountMin) tokens, is longer than the longest, \(most)"
        }
        return nil
    }

    private func excess(of request: GenerationRequest, over limit: Int, what: String) -> String? {
        let promptCount = request.prompt.count
        let leastOutput = max(request.outputTokenCountMin, request.outputTokenCountMax == 0 ? 0 : 1)
        guard promptCount > limit || leastOutput > limit - promptCount else { return nil }
        return "the prompt has \(promptCount) tokens and the output at least \(leastOutput), but \(what) has \(limit): "
            + "shorten the prompt"
    }

    // MARK: Beginning

    private func canBegin(_ sequence: inout SequenceState) -> Bool {
        guard isRunning, waiting.isEmpty, running.count < settings.runningSequenceCountMax else { return false }
        return hasBlocks(for: &sequence) != nil
    }

    /// Room for all tokens there are, and for the growth of those that run already: else the newcomer would soon be
    /// the youngest that has to go again.
    ///
    /// - Returns: how many blocks the cache has of it; nil when there is no room for the rest.
    private func hasBlocks(for sequence: inout SequenceState) -> Int? {
        let needed = BlockPool.blockCount(positionCount: sequence.tokens.count)
        let reserve = min(running.count, max(1, pool.blockCount / 8))
        // Looking into the cache is of no use when even all that it may have would not do.
        let sharedCountMax = (sequence.tokens.count - 1) / BlockID.positionCount
        guard pool.freeCount + sharedCountMax >= needed + reserve else { return nil }
        guard sequence.mayReusePrefix else { return pool.freeCount >= needed + reserve ? 0 : nil }
        // At least one token is computed: there must be logits to sample from.
        sequence.chain.extend(over: sequence.tokens, blockCount: sharedCountMax)
        let match = pool.match(sequence.chain.names.prefix(sharedCountMax))
        return pool.freeCount - match.unusedCount >= needed - match.count + reserve ? match.count : nil
    }

    /// Lets requests begin in order of arrival while there is room.
    mutating func admitWaiting(at now: Instant) {
        while let id = waiting.first, running.count < max(1, settings.runningSequenceCountMax) {
            guard var sequence = sequences.removeValue(forKey: id) else {
                waiting.removeFirst()
                continue
            }
            let isBegun = begin(&sequence, at: now)
            sequences[id] = sequence
            guard isBegun else { return }
            waiting.removeFirst()
        }
    }

    private mutating func begin(_ sequence: inout SequenceState, at now: Instant) -> Bool {
        guard let sharedCount = hasBlocks(for: &sequence) else { return false }
        let shared = pool.share(sequence.chain.names.prefix(sharedCount))
        let ownCount = BlockPool.blockCount(positionCount: sequence.tokens.count) - sharedCount
        guard let own = pool.take(ownCount) else {
            pool.give(shared, after: nil)
            return false
        }
        running.append(sequence.id)
        promptQueue.append(QueueEntry(id: sequence.id, run: sequence.run))
        promptSequenceCount += 1
        sequence.phase = .prompt
        sequence.blocks = shared + own
        sequence.sealedBlockCount = sharedCount
        sequence.scheduledCount = sharedCount * BlockID.positionCount
        sequence.committedCount = sequence.scheduledCount
        promptRowsPending += sequence.tokens.count - sequence.scheduledCount
        if sequence.started == nil {
            sequence.started = now
            sequence.cachedTokenCount = sequence.scheduledCount
        }
        return true
    }

    // MARK: Ending

    /// The request's last event; everything it holds goes.
    mutating func end(_ id: SequenceID, _ event: GenerationEvent) {
        if sequences[id]?.phase == .waiting {
            waiting.removeAll { $0 == id }
        } else {
            stopRunning(id)
        }
        sequences[id] = nil
        emit(id, event)
    }

    /// Takes the sequence's blocks; rows of it in flight become stale.
    mutating func stopRunning(_ id: SequenceID) {
        guard let sequence = sequences[id], sequence.phase != .waiting else { return }
        if let index = runningIndex(of: id) { running.remove(at: index) }
        if sequence.phase == .prompt {
            promptSequenceCount -= 1
            promptRowsPending -= sequence.tokens.count - sequence.scheduledCount
        }
        pool.give(sequence.blocks, after: stillInFlight(sequence.lastStep))
        if sequence.lastStep != nil { endedToTell.append(id) }
        sequences[id]?.endRun()
    }

    /// `running` is in order of ids.
    private func runningIndex(of id: SequenceID) -> Int? {
        var (low, high) = (0, running.count)
        while low < high {
            let middle = (low + high) / 2
            if running[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < running.count && running[low] == id ? low : nil
    }

    /// A step that is being built counts as in flight: it will be the next to go.
    private func stillInFlight(_ step: StepNumber?) -> StepNumber? {
        guard let step else { return nil }
        if let oldest = inFlight.first?.number { return step >= oldest ? step : nil }
        return step >= nextNumber ? step : nil
    }
}
