/// A conversation: keeps what was said, sends it all with each new message, and hands on the answer as it comes.
public struct ChatSession: Sendable {
    /// One finished answer.
    public struct Answer: Hashable, Sendable {
        public var text: String
        /// "stop", "length", or nil when the answer was cut short.
        public var finishReason: String?
        public var usage: Usage?
        /// From the request to the first text; nil when there was none.
        public var firstTokenSeconds: Double?
        /// From the request to the end.
        public var totalSeconds: Double

        /// Output tokens per second after the first; nil when there are fewer than two or the server counts none.
        public var tokensPerSecond: Double? {
            guard let usage, usage.outputTokenCount > 1, let firstTokenSeconds, totalSeconds > firstTokenSeconds else {
                return nil
            }
            return Double(usage.outputTokenCount - 1) / (totalSeconds - firstTokenSeconds)
        }
    }

    public var model: String
    public var options: GenerationOptions
    /// Everything said so far, the system message included.
    public private(set) var messages: [ChatRequest.Message]
    private let client: OpenAIClient

    public init(
        client: OpenAIClient, model: String, systemMessage: String? = nil,
        options: GenerationOptions = GenerationOptions()
    ) {
        self.client = client
        self.model = model
        self.options = options
        messages = systemMessage.map { [ChatRequest.Message(role: "system", content: $0)] } ?? []
    }

    /// Says `text` and calls `onDelta` with each piece of the answer.
    ///
    /// When it throws, or the task is cancelled, the conversation goes on: with what had come of the answer, or,
    /// if nothing had, as though `text` had not been said.
    public mutating func send(
        _ text: String, onDelta: (String) throws -> Void
    ) async throws -> Answer {
        messages.append(ChatRequest.Message(role: "user", content: text))
        let clock = ContinuousClock()
        let start = clock.now
        var answer = Answer(text: "", totalSeconds: 0)
        defer {
            if answer.text.isEmpty, answer.finishReason == nil {
                messages.removeLast()
            } else {
                messages.append(ChatRequest.Message(role: "assistant", content: answer.text))
            }
        }
        for try await chunk in client.streamChat(ChatRequest(model: model, messages: messages, options: options)) {
            if let usage = chunk.usage { answer.usage = usage }
            guard let choice = chunk.choices.first(where: { $0.index == 0 }) else { continue }
            if let content = choice.delta.content, !content.isEmpty {
                if answer.firstTokenSeconds == nil { answer.firstTokenSeconds = seconds(clock.now - start) }
                answer.text += content
                try onDelta(content)
            }
            if let reason = choice.finishReason { answer.finishReason = reason }
        }
        try Task.checkCancellation()
        answer.totalSeconds = seconds(clock.now - start)
        return answer
    }

    /// Forgets everything but the system message.
    public mutating func clear() { messages.removeAll { $0.role != "system" } }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}
