public import OpenAIClient

/// What a running request tells.
public enum LoadEvent: Hashable, Sendable {
    /// What the server calls the answer; told once.
    case identity(String)
    /// A chunk with output in it; a token can have no text of its own.
    case output(text: String)
    /// "stop" or "length".
    case finish(reason: String)
    case usage(promptTokenCount: Int, outputTokenCount: Int, cachedTokenCount: Int? = nil)
}

/// Runs a request and tells what comes. It ends at once, and without a trace on the server, when `tell` throws.
public typealias LoadTarget =
    @Sendable (LoadRequest, _ tell: (LoadEvent) throws -> Void) async throws -> Void

extension LoadEvent {
    /// Sends requests to a server.
    public static func target(_ client: OpenAIClient) -> LoadTarget {
        { request, tell in
            var isNamed = false
            func tellName(_ id: String?) throws {
                guard !isNamed, let id else { return }
                isNamed = true
                try tell(.identity(id))
            }
            switch request.plan.endpoint {
            case .completions:
                for try await chunk in client.streamCompletion(request.completion) {
                    try tellName(chunk.id)
                    for choice in chunk.choices {
                        // The last chunk without text only brings the reason.
                        if !choice.text.isEmpty || choice.finishReason == nil { try tell(.output(text: choice.text)) }
                        if let reason = choice.finishReason { try tell(.finish(reason: reason)) }
                    }
                    if let usage = chunk.usage { try tell(LoadEvent(usage)) }
                }
            case .chat:
                for try await chunk in client.streamChat(request.chat) {
                    try tellName(chunk.id)
                    for choice in chunk.choices {
                        if let content = choice.delta.content,
                            !content.isEmpty || (choice.delta.role == nil && choice.finishReason == nil)
                        {
                            try tell(.output(text: content))
                        }
                        if let reason = choice.finishReason { try tell(.finish(reason: reason)) }
                    }
                    if let usage = chunk.usage { try tell(LoadEvent(usage)) }
                }
            }
            try Task.checkCancellation()
        }
    }

    private init(_ usage: Usage) {
        self = .usage(
            promptTokenCount: usage.promptTokenCount, outputTokenCount: usage.outputTokenCount,
            cachedTokenCount: usage.promptDetails?.cachedTokenCount)
    }
}
