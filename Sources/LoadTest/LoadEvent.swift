public import OpenAIClient

/// What a running request tells.
public enum LoadEvent: Hashable, Sendable {
    /// A chunk with output in it.
    case output
    case usage(promptTokenCount: Int, outputTokenCount: Int)
}

/// Runs a request and tells what comes.
public typealias LoadTarget =
    @Sendable (LoadRequest, _ tell: (LoadEvent) -> Void) async throws -> Void

extension LoadEvent {
    /// Sends requests to a server.
    public static func target(_ client: OpenAIClient) -> LoadTarget {
        { request, tell in
            switch request.plan.endpoint {
            case .completions:
                for try await chunk in client.streamCompletion(request.completion) {
                    // A token can have no text of its own; the last chunk without text only brings the reason.
                    let isOutput = chunk.choices.contains { !$0.text.isEmpty || $0.finishReason == nil }
                    if isOutput { tell(.output) }
                    if let usage = chunk.usage { tell(LoadEvent(usage)) }
                }
            case .chat:
                for try await chunk in client.streamChat(request.chat) {
                    let isOutput = chunk.choices.contains { choice in
                        guard let content = choice.delta.content else { return false }
                        return !content.isEmpty || (choice.delta.role == nil && choice.finishReason == nil)
                    }
                    if isOutput { tell(.output) }
                    if let usage = chunk.usage { tell(LoadEvent(usage)) }
                }
            }
            try Task.checkCancellation()
        }
    }

    private init(_ usage: Usage) {
        self = .usage(promptTokenCount: usage.promptTokenCount, outputTokenCount: usage.outputTokenCount)
    }
}
