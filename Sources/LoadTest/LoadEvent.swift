public import OpenAIClient
import Synchronization

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

/// Runs a request and tells what comes, one event after the other. It ends at once when `tell` throws.
public typealias LoadTarget =
    @Sendable (LoadRequest, _ tell: @escaping @Sendable (LoadEvent) throws -> Void) async throws -> Void

extension LoadEvent {
    /// Sends requests to a server.
    public static func target(_ client: OpenAIClient) -> LoadTarget {
        { request, tell in
            let isNamed = Atomic<Bool>(false)
            let receive: @Sendable (ServerSentEventParser.Event) throws -> Void = { event in
                let chunk = try scan(event, client, request.plan.endpoint)
                if let id = chunk.id, !isNamed.exchange(true, ordering: .relaxed) { try tell(.identity(id)) }
                for choice in chunk.choices {
                    // The first chunk of a chat can bring only the role, the last chunk only the reason.
                    if let text = choice.text, !text.isEmpty || (choice.finishReason == nil && !choice.hasRole) {
                        try tell(.output(text: text))
                    }
                    if let reason = choice.finishReason { try tell(.finish(reason: reason)) }
                }
                if let usage = chunk.usage {
                    try tell(
                        .usage(
                            promptTokenCount: usage.promptTokenCount, outputTokenCount: usage.outputTokenCount,
                            cachedTokenCount: usage.cachedTokenCount))
                }
            }
            switch request.plan.endpoint {
            case .completions: try await client.forEachEvent(of: request.completion, receive: receive)
            case .chat: try await client.forEachEvent(of: request.chat, receive: receive)
            }
            try Task.checkCancellation()
        }
    }

    private static func scan(
        _ event: ServerSentEventParser.Event, _ client: OpenAIClient, _ endpoint: LoadPlan.Endpoint
    ) throws -> ScannedChunk {
        if event.name != "error", let chunk = ScannedChunk(event.data.utf8) { return chunk }
        switch endpoint {
        case .completions:
            return ScannedChunk(try client.chunk(event, of: "/v1/completions", as: Completion.self))
        case .chat:
            return ScannedChunk(try client.chunk(event, of: "/v1/chat/completions", as: ChatChunk.self))
        }
    }
}

/// Inside of `ScannedChunk`, `Usage` is another.
private typealias ServerUsage = Usage

extension ScannedChunk {
    package init(_ chunk: Completion) {
        self.init(id: chunk.id, usage: chunk.usage)
        choices = chunk.choices.map { Choice(text: $0.text, finishReason: $0.finishReason) }
    }

    package init(_ chunk: ChatChunk) {
        self.init(id: chunk.id, usage: chunk.usage)
        choices = chunk.choices.map {
            Choice(text: $0.delta.content, hasRole: $0.delta.role != nil, finishReason: $0.finishReason)
        }
    }

    private init(id: String?, usage: ServerUsage?) {
        self.init()
        self.id = id
        self.usage = usage.map {
            Usage(
                promptTokenCount: $0.promptTokenCount, outputTokenCount: $0.outputTokenCount,
                cachedTokenCount: $0.promptDetails?.cachedTokenCount)
        }
    }
}
