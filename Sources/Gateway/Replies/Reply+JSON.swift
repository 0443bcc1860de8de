import Vocabulary

/// The answer in OpenAI's shapes.
extension Reply {
    /// The whole answer at once. `deltas`: what all events added to each choice, together.
    func whole(_ deltas: [ChoiceProgress.Delta]) -> JSONValue {
        let choices = deltas.enumerated().map { index, delta in
            let text: (String, JSONValue) =
                switch job.endpoint {
                case .completion: ("text", .string(delta.text))
                case .chat: ("message", ["role": "assistant", "content": .string(delta.text), "refusal": nil])
                }
            return choice(index, text, logprobs: delta.logprobs, finishReason: delta.finishReason)
        }
        return .object(
            head(object: job.endpoint == .chat ? "chat.completion" : "text_completion") + [
                ("choices", .array(choices)), ("usage", usage), ("timings", timings),
            ])
    }

    /// The chunk that opens a chat choice: who speaks.
    func roleChunk(choice index: Int) -> JSONValue {
        chunk([choice(index, ("delta", ["role": "assistant", "content": ""]), logprobs: [], finishReason: nil)])
    }

    func textChunk(choice index: Int, _ delta: ChoiceProgress.Delta) -> JSONValue {
        let text: (String, JSONValue) =
            job.endpoint == .chat
            ? ("delta", ["content": .string(delta.text)]) : ("text", .string(delta.text))
        return chunk([choice(index, text, logprobs: delta.logprobs, finishReason: nil)])
    }

    /// The last chunk of a choice; that of the last choice tells the timings unless a chunk for usage follows.
    func finishChunk(choice index: Int, _ reason: FinishReason) -> JSONValue {
        let text: (String, JSONValue) = job.endpoint == .chat ? ("delta", [:]) : ("text", "")
        let extra: [(String, JSONValue)] = isFinished && !job.includesUsage ? [("timings", timings)] : []
        return chunk([choice(index, text, logprobs: [], finishReason: reason)], extra: extra)
    }

    func usageChunk() -> JSONValue {
        .object(chunkHead + [("choices", []), ("usage", usage), ("timings", timings)])
    }

    private func chunk(_ choices: [JSONValue], extra: [(String, JSONValue)] = []) -> JSONValue {
        let usage: [(String, JSONValue)] = job.includesUsage ? [("usage", nil)] : []
        return .object(chunkHead + [("choices", .array(choices))] + usage + extra)
    }

    private func choice(
        _ index: Int, _ text: (String, JSONValue), logprobs: [JSONValue], finishReason: FinishReason?
    ) -> JSONValue {
        .object([
            ("index", .integer(index)),
            text,
            ("logprobs", job.reportsLogprobs ? ["content": .array(logprobs)] : nil),
            ("finish_reason", finishReason.map { .string($0.rawValue) } ?? nil),
        ])
    }

    private var chunkHead: [(String, JSONValue)] {
        head(object: job.endpoint == .chat ? "chat.completion.chunk" : "text_completion")
    }

    private func head(object: String) -> [(String, JSONValue)] {
        [
            ("id", .string(job.id)), ("object", .string(object)), ("created", .integer(job.created)),
            ("model", .string(job.model.profile.name)),
            ("system_fingerprint", .string(job.model.systemFingerprint)),
        ]
    }
}
