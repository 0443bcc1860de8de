import OpenAIClient
import Synchronization
import Testing

/// Events that are handed over on the connection's thread.
@Suite(.timeLimit(.minutes(1))) struct EventPushTests {
    private struct Enough: Error {}

    private static let request = CompletionRequest(model: "tiny", prompt: .text("x"))

    private func chunk(_ text: String) -> String {
        "data: {\"choices\":[{\"index\":0,\"text\":\"\(text)\",\"finish_reason\":null}]}\n\n"
    }

    private func read(_ client: OpenAIClient) async -> (texts: [String], error: (any Error)?) {
        let texts = Mutex<[String]>([])
        do {
            try await client.forEachEvent(of: Self.request) { event in
                let chunk = try client.chunk(event, of: "/v1/completions", as: Completion.self)
                texts.withLock { $0.append(chunk.choices[0].text) }
                if chunk.choices[0].text == "enough" { throw Enough() }
            }
            return (texts.withLock { $0 }, nil)
        } catch {
            return (texts.withLock { $0 }, error)
        }
    }

    @Test(arguments: [1, 7, 10_000])
    func eventsComeInOrderAndTheConnectionIsKept(pieceByteCount: Int) async throws {
        let server = try ScriptedServer.answering { connection, request in
            #expect(request.json?["stream"] as? Bool == true)
            connection.beginEvents()
            let text = (0..<5).map { self.chunk("\($0)") }.joined() + "data: [DONE]\n\n"
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                connection.sendChunk(String(decoding: rest.prefix(pieceByteCount), as: UTF8.self))
                rest = rest.dropFirst(pieceByteCount)
            }
            connection.endChunks()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        for _ in 0..<3 {
            let (texts, error) = await read(client)
            #expect(texts == ["0", "1", "2", "3", "4"])
            #expect(error == nil)
        }
        #expect(server.connectionCount == 1)
    }

    @Test func anErrorOfTheReceiverClosesTheConnection() async throws {
        let (closed, closedNow) = AsyncStream<Bool>.makeStream()
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            connection.sendChunk(self.chunk("one") + self.chunk("enough") + self.chunk("more"))
            closedNow.yield(connection.clientCloses())
            closedNow.finish()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let (texts, error) = await read(client)
        #expect(texts == ["one", "enough"])
        #expect(error is Enough)
        for await wasClosed in closed { #expect(wasClosed) }
    }

    @Test func cancellingClosesTheConnection() async throws {
        let (closed, closedNow) = AsyncStream<Bool>.makeStream()
        let (begun, begunNow) = AsyncStream<Void>.makeStream()
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            begunNow.finish()
            closedNow.yield(connection.clientCloses())
            closedNow.finish()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let task = Task { try await client.forEachEvent(of: Self.request) { _ in } }
        for await _ in begun {}
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        for await wasClosed in closed { #expect(wasClosed) }
    }

    @Test(arguments: ["", "data: {", "data: [DONE]"])
    func anEndBeforeDoneIsAnError(end: String) async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.beginEvents()
            connection.sendChunk(self.chunk("a") + end)
            connection.endChunks()
        }
        defer { server.stop() }
        let (texts, error) = await read(try OpenAIClient(baseURL: server.url))
        #expect(texts == ["a"])
        #expect((error as? OpenAIError)?.message.contains("without [DONE]") == true)
    }

    @Test func aLostConnectionIsAnError() async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            connection.sendChunk(self.chunk("a"))
        }
        defer { server.stop() }
        let (texts, error) = await read(try OpenAIClient(baseURL: server.url))
        #expect(texts == ["a"])
        #expect((error as? OpenAIError)?.kind == .connectionLost)
    }

    /// The time between two pieces counts, not that of the whole answer.
    @Test func silenceEndsInATimeout() async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            for number in 0..<6 {
                connection.sendChunk(self.chunk("\(number)"))
                connection.pause(milliseconds: 250)
            }
            _ = connection.clientCloses()
        }
        defer { server.stop() }
        let client = try OpenAIClient(
            baseURL: server.url, timeouts: OpenAIClient.Timeouts(idle: .milliseconds(1000)))
        let (texts, error) = await read(client)
        #expect(texts.count == 6)
        #expect((error as? OpenAIError)?.kind == .timeout)
        #expect((error as? OpenAIError)?.message.contains("1000 ms while the answer arrived") == true)
    }

    @Test func aBodyThatDoesNotEndAfterDoneIsNoHindrance() async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            connection.sendChunk(self.chunk("a") + "data: [DONE]\n\n")
            _ = connection.clientCloses()
        }
        defer { server.stop() }
        let (texts, error) = await read(try OpenAIClient(baseURL: server.url))
        #expect(texts == ["a"])
        #expect(error == nil)
    }

    @Test(arguments: [
        ("event: error\ndata: {\"error\":{\"message\":\"lost a node\"}}\n\n", OpenAIError.Kind.server, "lost a node"),
        ("data: [1,2]\n\n", .badResponse, "[1,2]"),
    ])
    func whatIsNoChunkIsAnError(event: String, kind: OpenAIError.Kind, word: String) async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.beginEvents()
            connection.sendChunk(event + "data: [DONE]\n\n")
            connection.endChunks()
        }
        defer { server.stop() }
        let (_, error) = await read(try OpenAIClient(baseURL: server.url))
        #expect((error as? OpenAIError)?.kind == kind)
        #expect((error as? OpenAIError)?.message.contains(word) == true)
    }
}
