/// The endpoints by name.
extension OpenAIClient {
    /// `GET /v1/models`.
    public func models() async throws -> [ModelEntry] {
        try await get("/v1/models", as: ModelList.self).data
    }

    /// The first model the server lists.
    public func firstModel() async throws -> String {
        guard let model = try await models().first else {
            throw OpenAIError(.badResponse, url: server.url("/v1/models"), message: "the server serves no model")
        }
        return model.id
    }

    /// `GET /health`: nil when the server is ready, else what it says.
    public func unreadyReason() async throws -> String? {
        let (status, body) = try await send("GET", "/health")
        guard status != 200 else { return nil }
        return ServerMessage.text(of: body) ?? "status \(status)"
    }

    public func complete(_ request: CompletionRequest) async throws -> Completion {
        var request = request
        request.isStream = false
        return try await post("/v1/completions", request)
    }

    /// The last chunk, without choices, has the usage.
    public func streamCompletion(_ request: CompletionRequest) -> AsyncThrowingStream<Completion, any Error> {
        var request = request
        request.isStream = true
        return stream("/v1/completions", request)
    }

    public func chat(_ request: ChatRequest) async throws -> ChatCompletion {
        var request = request
        request.isStream = false
        return try await post("/v1/chat/completions", request)
    }

    /// The last chunk, without choices, has the usage.
    public func streamChat(_ request: ChatRequest) -> AsyncThrowingStream<ChatChunk, any Error> {
        var request = request
        request.isStream = true
        return stream("/v1/chat/completions", request)
    }

    /// `streamCompletion`, event by event, as `forEachEvent` does.
    public func forEachEvent(
        of request: CompletionRequest, receive: @escaping @Sendable (ServerSentEventParser.Event) throws -> Void
    ) async throws {
        var request = request
        request.isStream = true
        try await forEachEvent(of: "/v1/completions", request, receive: receive)
    }

    /// `streamChat`, event by event, as `forEachEvent` does.
    public func forEachEvent(
        of request: ChatRequest, receive: @escaping @Sendable (ServerSentEventParser.Event) throws -> Void
    ) async throws {
        var request = request
        request.isStream = true
        try await forEachEvent(of: "/v1/chat/completions", request, receive: receive)
    }
}
