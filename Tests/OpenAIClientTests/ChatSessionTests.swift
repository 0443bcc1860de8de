import OpenAIClient
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct ChatSessionTests {
    private static func delta(_ text: String, reason: String? = nil) -> String {
        let reason = reason.map { "\"\($0)\"" } ?? "null"
        return #"data: {"choices":[{"index":0,"delta":{"content":"\#(text)"},"finish_reason":\#(reason)}]}"# + "\n\n"
    }

    private static let role = #"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"# + "\n\n"
    private static let usage =
        #"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"# + "\n\n"

    /// Answers "answer N", N the count of messages so far; to "fail" with an error at once, to "break" in the middle.
    private func server() throws -> ScriptedServer {
        try ScriptedServer.answering { connection, request in
            #expect(request.line == "POST /v1/chat/completions HTTP/1.1")
            let messages = request.json?["messages"] as? [[String: String]] ?? []
            let text = messages.last?["content"] ?? ""
            guard text != "fail" else {
                return connection.sendJSON(#"{"error":{"message":"no"}}"#, status: "500 Internal Server Error")
            }
            connection.beginEvents()
            connection.sendChunk(Self.role + Self.delta("answer "))
            if text == "break" { return connection.close() }
            connection.sendChunk(Self.delta("\(messages.count)", reason: "stop") + Self.usage + "data: [DONE]\n\n")
            connection.endChunks()
        }
    }

    @Test func keepsTheConversation() async throws {
        let server = try server()
        defer { server.stop() }
        var session = ChatSession(
            client: try OpenAIClient(baseURL: server.url), model: "tiny", systemMessage: "Be brief.")
        var deltas: [String] = []
        let first = try await session.send("hello") { deltas.append($0) }
        #expect(deltas == ["answer ", "2"])
        #expect(first.text == "answer 2")
        #expect(first.finishReason == "stop")
        #expect(first.usage?.outputTokenCount == 3)
        #expect(first.firstTokenSeconds ?? 0 > 0)
        #expect(try await session.send("again") { _ in }.text == "answer 4")
        #expect(session.messages.map(\.role) == ["system", "user", "assistant", "user", "assistant"])
        #expect(session.messages.map(\.content) == ["Be brief.", "hello", "answer 2", "again", "answer 4"])
        session.clear()
        #expect(session.messages.map(\.role) == ["system"])
    }

    @Test func aFailureLeavesNoTrace() async throws {
        let server = try server()
        defer { server.stop() }
        var session = ChatSession(client: try OpenAIClient(baseURL: server.url), model: "tiny")
        await #expect(throws: OpenAIError.self) { _ = try await session.send("fail") { _ in } }
        #expect(session.messages.isEmpty)
        #expect(try await session.send("hello") { _ in }.text == "answer 1")
    }

    @Test func aBrokenAnswerIsKeptAsFarAsItCame() async throws {
        let server = try server()
        defer { server.stop() }
        var session = ChatSession(client: try OpenAIClient(baseURL: server.url), model: "tiny")
        await #expect(throws: OpenAIError.self) { _ = try await session.send("break") { _ in } }
        #expect(session.messages.map(\.content) == ["break", "answer "])
        #expect(try await session.send("hello") { _ in }.text == "answer 3")
    }
}
