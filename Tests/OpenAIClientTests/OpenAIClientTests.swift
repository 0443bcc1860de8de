import Foundation
import OpenAIClient
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct OpenAIClientTests {
    private static let models = #"{"object":"list","data":[{"id":"tiny","object":"model","max_model_len":77}]}"#

    private func failure(_ work: () async throws -> Void) async -> OpenAIError? {
        do {
            try await work()
            return nil
        } catch {
            return error as? OpenAIError
        }
    }

    @Test func listsModelsAndReusesItsConnection() async throws {
        let server = try ScriptedServer.answering { connection, request in
            #expect(request.line == "GET /v1/models HTTP/1.1")
            #expect(request.headers["authorization"] == "Bearer secret")
            connection.sendJSON(Self.models)
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url + "/v1", apiKey: "secret")
        for _ in 0..<5 {
            let models = try await client.models()
            #expect(models.map(\.id) == ["tiny"])
            #expect(models.first?.contextLength == 77)
        }
        #expect(try await client.firstModel() == "tiny")
        #expect(server.connectionCount == 1)
    }

    @Test func manyRequestsAtOnce() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.pause(milliseconds: 5)
            connection.sendJSON(Self.models)
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        try await withThrowingTaskGroup(of: [ModelEntry].self) { group in
            for _ in 0..<50 {
                group.addTask { try await client.models() }
            }
            for try await models in group { #expect(models.count == 1) }
        }
        #expect(server.connectionCount <= 50)
    }

    @Test func aConnectionClosedWhileIdleIsReplaced() async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.sendJSON(Self.models)
            // Closed without having said so: the client learns of it when it is used again, or just before.
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        for _ in 0..<20 { #expect(try await client.models().count == 1) }
        #expect(server.connectionCount == 20)
    }

    @Test func postsAndReadsACompletion() async throws {
        let server = try ScriptedServer.answering { connection, request in
            #expect(request.line == "POST /v1/completions HTTP/1.1")
            #expect(request.headers["content-type"] == "application/json")
            let json = request.json
            #expect(json?["model"] as? String == "tiny")
            #expect(json?["prompt"] as? [Int] == [1, 2, 3])
            #expect(json?["max_tokens"] as? Int == 4)
            #expect(json?["ignore_eos"] as? Bool == true)
            #expect(json?["logprobs"] as? Int == 2)
            #expect(json?["stream"] == nil)
            #expect(json?["temperature"] == nil)
            connection.sendJSON(
                #"""
                {"id":"c","choices":[{"index":0,"text":" hi","finish_reason":"length","logprobs":{"content":[
                {"token":" hi","logprob":-0.5,"bytes":[32,104,105],"id":7,"top_logprobs":[
                {"token":" hi","logprob":-0.5,"bytes":null,"id":7}]}]}}],
                "usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}
                """#)
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        var options = GenerationOptions()
        options.outputTokenCountMax = 4
        options.ignoresEnd = true
        let answer = try await client.complete(
            CompletionRequest(model: "tiny", prompt: .tokens([1, 2, 3]), options: options, logprobs: 2))
        #expect(answer.choices.first?.text == " hi")
        #expect(answer.choices.first?.finishReason == "length")
        let token = try #require(answer.choices.first?.logprobs?.content?.first)
        #expect(token.id == 7)
        #expect(token.logprob == -0.5)
        #expect(token.bytes == [32, 104, 105])
        #expect(token.top.map(\.id) == [7])
        #expect(answer.usage?.promptTokenCount == 3)
        #expect(answer.usage?.outputTokenCount == 1)
    }

    @Test func aLegacyShapeOfLogprobsIsNoError() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.sendJSON(
                #"{"choices":[{"index":0,"text":"x","logprobs":{"tokens":["x"],"token_logprobs":[-1]}}]}"#)
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let answer = try await client.complete(CompletionRequest(model: "m", prompt: .text("p")))
        #expect(answer.choices.first?.text == "x")
        #expect(answer.choices.first?.logprobs?.content == nil)
    }

    // MARK: - Errors

    @Test func namesAServerThatIsNotThere() async throws {
        let server = try ScriptedServer { _ in }
        server.stop()
        let client = try OpenAIClient(baseURL: server.url)
        let error = await failure { _ = try await client.models() }
        #expect(error?.kind == .unreachable)
        #expect(error?.description.contains("nothing listens at 127.0.0.1:\(server.port)") == true)
    }

    @Test func namesAHostThatIsNotThere() async throws {
        let client = try OpenAIClient(baseURL: "http://no-such-host.invalid:8080")
        let error = await failure { _ = try await client.models() }
        #expect(error?.kind == .unreachable)
        #expect(error?.description.contains("no-such-host.invalid") == true)
    }

    @Test(arguments: [
        (#"{"error":{"message":"The model `x` does not exist","type":"NotFoundError","code":404}}"#, "The model `x`"),
        (#"{"message":"quota"}"#, "quota"),
        (#"{"detail":"Not Found"}"#, "Not Found"),
        (#"{"error":"busy"}"#, "busy"),
        ("<html>\noops</html>", "<html> oops</html>"),
        ("", "Not Found"),
    ])
    func showsTheServersMessage(body: String, part: String) async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.sendJSON(body, status: "404 Not Found")
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await failure { _ = try await client.models() }
        #expect(error?.kind == .status(404))
        #expect(error?.url == server.url + "/v1/models")
        #expect(error?.message.contains(part) == true, "\(String(describing: error))")
        // The connection is as good as before.
        _ = await failure { _ = try await client.models() }
        #expect(server.connectionCount == 1)
    }

    @Test func doesNotFollowRedirects() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.sendJSON("", status: "302 Found", headers: "Location: http://elsewhere/\r\n")
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await failure { _ = try await client.models() }
        #expect(error?.kind == .status(302))
        #expect(error?.message.contains("http://elsewhere/") == true)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.6\r\n", "HTTP/9.9 999\r\n\r\n", "\u{0}\u{1}\u{2}garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    ])
    func garbageIsABadResponse(garbage: String) async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.send(garbage)
            _ = connection.clientCloses()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await failure { _ = try await client.models() }
        #expect(error?.kind == .badResponse, "\(String(describing: error))")
        #expect(error?.url == server.url + "/v1/models")
    }

    @Test func jsonOfAnotherShapeIsABadResponse() async throws {
        let server = try ScriptedServer.answering { connection, _ in
            connection.sendJSON(#"{"surprise": [1, 2]}"#)
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await failure { _ = try await client.models() }
        #expect(error?.kind == .badResponse)
        #expect(error?.message.contains("surprise") == true)
    }

    @Test func aConnectionLostInTheMiddleIsAnError() async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"data\":")
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let error = await failure { _ = try await client.models() }
        #expect(error?.kind == .connectionLost)
        #expect(error?.message.contains("while the answer arrived") == true)
    }

    @Test func silenceEndsInATimeout() async throws {
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            if connection.number == 2 { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{") }
            _ = connection.clientCloses()
        }
        defer { server.stop() }
        let timeouts = OpenAIClient.Timeouts(firstByte: .milliseconds(100), idle: .milliseconds(100))
        let client = try OpenAIClient(baseURL: server.url, timeouts: timeouts)
        let first = await failure { _ = try await client.models() }
        #expect(first?.kind == .timeout)
        #expect(first?.message.contains("before it answered") == true)
        let second = await failure { _ = try await client.models() }
        #expect(second?.kind == .timeout)
        #expect(second?.message.contains("while the answer arrived") == true)
    }

    @Test func cancellingARequestClosesItsConnection() async throws {
        let (closed, closedNow) = AsyncStream<Bool>.makeStream()
        let server = try ScriptedServer { connection in
            guard connection.request() != nil else { return }
            closedNow.yield(connection.clientCloses())
            closedNow.finish()
        }
        defer { server.stop() }
        let client = try OpenAIClient(baseURL: server.url)
        let task = Task { try await client.models() }
        while server.connectionCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        for await wasClosed in closed { #expect(wasClosed) }
    }
}
