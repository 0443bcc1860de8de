import Vocabulary

/// Which requests come in.
extension ModelReplicas {
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
        if let failure = excessOfWaiting(generation.tenant), !canBegin(&sequence) {
            emit(id, .failed(failure))
            return
        }
        emit(id, .accepted(request))
        if generation.scoresPrompt, sequence.promptScoreCount == 0 { emit(id, .promptScored([])) }
        if sequence.outputTokenCountMax == 0, sequence.promptScoreCount == 0 {
            emit(id, .finished(.length, sequence.usage(at: now)))
            return
        }
        setDeadline(of: &sequence, at: now)
        waiting.append(id, sequence.flow, cost: sequence.expectedCost)
        sequences[id] = sequence
    }

    // MARK: Checks

    /// Why no more requests of this tenant may wait.
    private func excessOfWaiting(_ tenant: String) -> GenerationFailure? {
        if waitingCount >= limits.waitingRequestCountMax {
            return GenerationFailure(
                .overloaded, "\(waitingCount) requests wait already for model \(model.name): try again later",
                retryAfterSeconds: retrySeconds(waitingCount: waitingCount))
        }
        let ownCount = waiting.count(of: tenant)
        if !tenant.isEmpty, ownCount >= limits.waitingRequestCountMaxPerTenant {
            return GenerationFailure(
                .rateLimited,
                "\(ownCount) of your requests wait already for model \(model.name): let some of them end first",
                retryAfterSeconds: retrySeconds(waitingCount: ownCount))
        }
        return nil
    }

    /// When about a quarter of them will have had their turn: a place is free sooner, but not for all who ask again.
    private func retrySeconds(waitingCount: Int) -> Int {
        let seconds = (secondsBetweenEnds ?? 0) * Double(waitingCount) / 4
        return min(60, max(1, Int(min(seconds, 60).rounded(.up))))
    }

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
        let priorities = GenerationRequest.priorities
        if !priorities.contains(request.priority) {
            return "the priority is \(request.priority): it must be \(priorities.lowerBound) to "
                + "\(priorities.upperBound)"
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
}
