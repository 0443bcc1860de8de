import Vocabulary

/// One choice of a request on its way: turns the events of its generation into pieces of an answer.
struct ChoiceProgress {
    /// What an event adds to a choice's answer.
    struct Delta {
        var text = ""
        /// Entries of the answer's log-probabilities; empty when none were asked for.
        var logprobs: [JSONValue] = []
        var finishReason: FinishReason?

        var isEmpty: Bool { text.isEmpty && logprobs.isEmpty && finishReason == nil }
    }

    private let request: GenerationRequest
    /// The prompt's text, until it is given back.
    private var echo: String?
    private let reportsLogprobs: Bool
    private let discardsOutput: Bool
    private let formatter: LogprobFormatter
    private(set) var usage: GenerationUsage?

    init(_ choice: GenerationJob.Choice, of job: GenerationJob) {
        request = choice.request
        echo = choice.echo
        reportsLogprobs = job.reportsLogprobs
        discardsOutput = job.discardsOutput
        formatter = LogprobFormatter(codec: job.model.text.codec)
    }

    var isFinished: Bool { usage != nil }

    /// - Throws: the error to tell the client when the generation failed.
    mutating func take(_ event: GenerationEvent) throws(APIError) -> Delta {
        var delta = Delta()
        switch event {
        case .accepted: break
        case .promptScored(let scores):
            appendEcho(scores: scores, to: &delta)
        case .output(let text, let tokens):
            appendEcho(scores: [], to: &delta)
            guard !discardsOutput else { break }
            delta.text += text
            if reportsLogprobs { delta.logprobs += tokens.map { formatter.entry($0) } }
        case .finished(let reason, var usage):
            appendEcho(scores: [], to: &delta)
            delta.finishReason = discardsOutput ? .length : reason
            if discardsOutput { usage.outputTokenCount = 0 }
            self.usage = usage
        case .failed(let failure):
            throw APIError(failure)
        }
        return delta
    }

    /// The first token of a prompt has nothing before it that could give it a probability.
    private mutating func appendEcho(scores: [TokenScore], to delta: inout Delta) {
        guard let text = echo else { return }
        echo = nil
        delta.text += text
        guard reportsLogprobs else { return }
        if let first = request.prompt.first { delta.logprobs.append(formatter.entry(unscored: first)) }
        delta.logprobs += scores.map { formatter.entry($0) }
    }
}
