import Orchestration
import Vocabulary

/// What was told of one request, held against its reference run.
struct RequestLedger {
    enum State: Equatable {
        case asked, accepted, scored
        case ended(failure: GenerationFailure.Kind?)
    }

    let request: GenerationRequest
    /// Nil for a request that must be refused.
    let reference: ReferenceRun?
    var isCancelled = false
    let arrived: Instant
    /// Requests of other flows that began while this one waited, being its flow's first.
    var overtakings: [FairQueue.Flow: Int] = [:]
    private(set) var state = State.asked
    private var outputCount = 0
    private var text = ""

    init(_ request: GenerationRequest, reference: ReferenceRun?, arrived: Instant) {
        self.arrived = arrived
        self.request = request
        self.reference = reference
    }

    var hasEnded: Bool {
        if case .ended = state { true } else { false }
    }

    var flow: FairQueue.Flow { FairQueue.Flow(tenant: request.tenant, priority: request.priority) }

    /// What is wrong with this event, if anything.
    mutating func take(_ event: GenerationEvent, at now: Instant) -> String? {
        if let limit = request.timeLimit, reference != nil {
            let isOverdue = now >= arrived + limit
            if case .failed(let failure) = event, failure.kind == .timedOut {
                if !isOverdue { return "timed out too early" }
            } else if isOverdue, limit.nanoseconds > 0 {
                return "an event after the time limit: \(event)"
            }
        }
        if hasEnded { return "an event after the end: \(event)" }
        switch event {
        case .failed(let failure):
            let wasAccepted = state != .asked
            state = .ended(failure: failure.kind)
            return flaw(of: failure, wasAccepted: wasAccepted)
        case .accepted:
            guard state == .asked else { return "accepted twice" }
            state = .accepted
            return reference == nil ? "accepted, but can never be served" : nil
        case .promptScored(let scores):
            guard state == .accepted, outputCount == 0, request.scoresPrompt else { return "scores out of turn" }
            state = .scored
            return scores == reference?.promptScores ? nil : "wrong scores of the prompt"
        case .output(let new, let tokens): return takeOutput(new, tokens)
        case .finished(let reason, let usage):
            if state == .asked { return "finished before it was accepted" }
            let isScored = state == .scored || !request.scoresPrompt
            state = .ended(failure: nil)
            return isScored ? flaw(of: reason, usage) : "no scores of the prompt"
        }
    }

    private mutating func takeOutput(_ new: String, _ tokens: [TokenScore]) -> String? {
        guard let reference, state == (request.scoresPrompt ? .scored : .accepted) else { return "output out of turn" }
        guard !tokens.isEmpty, outputCount + tokens.count <= reference.output.count,
            Array(reference.output[outputCount..<(outputCount + tokens.count)]) == tokens
        else { return "output \(outputCount) is \(tokens), not that of an undisturbed run" }
        outputCount += tokens.count
        text += new
        return Array(reference.text.utf8).starts(with: text.utf8) ? nil : "text \(text) is not of \(reference.text)"
    }

    private func flaw(of reason: FinishReason, _ usage: GenerationUsage) -> String? {
        guard let reference else { return "finished, but can never be served" }
        guard reason == reference.reason else { return "ended by \(reason)" }
        guard outputCount == reference.output.count, usage.outputTokenCount == outputCount,
            usage.promptTokenCount == request.prompt.count
        else { return "\(outputCount) tokens, usage \(usage), due are \(reference.output.count)" }
        return text == reference.text ? nil : "text \(text), due is \(reference.text)"
    }

    private func flaw(of failure: GenerationFailure, wasAccepted: Bool) -> String? {
        let isAllowed =
            switch failure.kind {
            case .invalid, .unknownModel: reference == nil && !wasAccepted
            case .overloaded: !wasAccepted && failure.retryAfterSeconds != nil
            case .rateLimited: !wasAccepted && !request.tenant.isEmpty && failure.retryAfterSeconds != nil
            case .timedOut: wasAccepted && request.timeLimit != nil
            case .unavailable: true
            case .interrupted: wasAccepted
            case .cancelled: isCancelled
            }
        return isAllowed ? nil : "failed by \(failure.kind): \(failure.message)"
    }
}
