import OpenAIClient
import Testing

@Suite(.timeLimit(.minutes(1))) struct EventStreamTests {
    private static let chunks = [
        #"data: {"id":"a","choices":[{"index":0,"text":"Hel","finish_reason":null}]}"#,
        #"data: {"id":"a","choices":[{"index":0,"text":"lö 🙂","finish_reason":"stop"}]}"#,
        #"data: {"id":"a","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
        "data: [DONE]",
    ]

    private static let request = CompletionRequest(model: "tiny", prompt: .text("x"))

    private func read(
        _ stream: AsyncThrowingStream<Completion, any Error>
    ) async -> (text: String, usage: Usage?, error: OpenAIError?) {
        var text = ""
        var usage: Usage?
        do {
            for try await chunk in stream {
                text += chunk.choices.first?.text ?? ""
                usage = chunk.usage ?? usage
            }
            return (text, usage, nil)
        } catch {
            return (text, usage, error as? OpenAIError)
        }
    }

    @Test(arguments: ["\n", "\r\n"], [1, 3, 10_000])
    func readsChunksHoweverTheyArrive(end: String, pieceByteCount: Int) async throws {
        let server = try ScriptedServer.answering { connection, request in
            #expect(request.headers["accept"] == "text/event-stream")
            #expect(request.json?["stream"] as? Bool == true)
            #expect((request.json?["stream_options"] as? [String: Bool]) == ["include_usage": true])
            connection.beginEvents()
            let text = ": ping\(end)\(end)" + Self.chunks.map { $0 + end + end }.joined()
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let piece = rest.prefix(pieceByteCount)
                connection.send("\(String(piece.count, radix: 16))\r\n")
                connection.send(piece)
                connection.send("\r\n")
                rest = rest.dropFirst(piece.count)
            }
            connection.endChunks()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        for _ in 0..<2 {
            let (text, usage, error) = await read(client.streamCompletion(Self.request))
            #expect(text == "Hellö 🙂")
            #expect(usage?.promptTokenCount == 5)
            #expect(usage?.outputTokenCount == 2)
            #expect(error == nil)
        }
        #expect(server.connectionCount == 1)
    }

    @Test func chunksArriveWhenTheyAreSent() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.beginEvents()
            connection.sendChunk(Self.chunks[0] + "\n\n")
            // Goes on only when the client has seen the first chunk and cancelled.
            #expect(connection.clientCloses())
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        var count = 0
        for try await _ in client.streamCompletion(Self.request) {
            count += 1
            break
        }
        #expect(count == 1)
    }

    @Test func droppingAStreamClosesItsConnection() async throws {
        let (closed, closedNow) = AsyncStream<Bool>.makeStream()
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            connection.sendChunk(Self.chunks[0] + "\n\n")
            closedNow.yield(connection.clientCloses())
            closedNow.finish()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        for try await _ in client.streamCompletion(Self.request) { break }
        for await wasClosed in closed { #expect(wasClosed) }
    }

    @Test func cancellingTheTaskClosesTheConnection() async throws {
        let (closed, closedNow) = AsyncStream<Bool>.makeStream()
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            connection.sendChunk(Self.chunks[0] + "\n\n")
            closedNow.yield(connection.clientCloses())
            closedNow.finish()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let (seen, seenNow) = AsyncStream<Void>.makeStream()
        let task = Task {
            for try await _ in client.streamCompletion(Self.request) { seenNow.finish() }
        }
        for await _ in seen {}
        task.cancel()
        _ = await task.result
        for await wasClosed in closed { #expect(wasClosed) }
    }

    @Test func aDisconnectInMidStreamIsAnError() async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.beginEvents()
            connection.sendChunk(Self.chunks[0] + "\n\n" + "data: {\"id\":")
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let (text, _, error) = await read(client.streamCompletion(Self.request))
        #expect(text == "Hel")
        #expect(error?.kind == .connectionLost)
        #expect(error?.url == server.url + "/v1/completions")
    }

    @Test func anEndWithoutDoneIsAnError() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.beginEvents()
            connection.sendChunk(Self.chunks[0] + "\n\n")
            connection.endChunks()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let (text, _, error) = await read(client.streamCompletion(Self.request))
        #expect(text == "Hel")
        #expect(error?.message.contains("without [DONE]") == true)
    }

    @Test(arguments: [
        #"data: {"error":{"message":"node-2 was lost","type":"server_error"}}"#,
        "event: error\ndata: {\"message\":\"node-2 was lost\",\"choices\":[]}",
    ])
    func anErrorInTheStreamIsTheServers(event: String) async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.beginEvents()
            connection.sendChunk(Self.chunks[0] + "\n\n" + event + "\n\n")
            connection.endChunks()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let (text, _, error) = await read(client.streamCompletion(Self.request))
        #expect(text == "Hel")
        #expect(error?.kind == .server)
        #expect(error?.message == "node-2 was lost")
    }

    @Test func garbageInTheStreamIsABadResponse() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.beginEvents()
            connection.sendChunk("data: {not json\n\n")
            connection.endChunks()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await read(client.streamCompletion(Self.request)).error
        #expect(error?.kind == .badResponse)
        #expect(error?.message.contains("{not json") == true)
    }

    @Test func anAnswerThatIsNoStreamIsABadResponse() async throws {
        let server = try ScriptedServer.answering { connection, _ in connection.sendJSON("{}") }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await read(client.streamCompletion(Self.request)).error
        #expect(error?.kind == .badResponse)
        #expect(error?.message.contains("application/json") == true)
    }

    @Test func aRefusalBeforeTheStreamShowsTheMessage() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.sendJSON(#"{"error":{"message":"the queue is full"}}"#, status: "503 Service Unavailable")
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await read(client.streamCompletion(Self.request)).error
        #expect(error?.kind == .status(503))
        #expect(error?.message == "the queue is full")
    }

    @Test func aSlowConsumerHoldsTheServerUp() async throws {
        // 20 MB do not fit into the sockets' buffers: the server can only send them while they are read.
        let line = "data: {\"choices\":[{\"index\":0,\"text\":\"\(String(repeating: "x", count: 65_000))\"}]}\n\n"
        let server = try ScriptedServer.answering { connection, _ in
            connection.beginEvents()
            for _ in 0..<300 { connection.sendChunk(line) }
            connection.sendChunk("data: [DONE]\n\n")
            connection.endChunks()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        var byteCount = 0
        for try await chunk in client.streamCompletion(Self.request) {
            if byteCount == 0 { try await Task.sleep(for: .milliseconds(200)) }
            byteCount += chunk.choices.first?.text.utf8.count ?? 0
        }
        #expect(byteCount == 300 * 65_000)
    }
}
