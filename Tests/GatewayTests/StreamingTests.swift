import Synchronization
import Testing
import Vocabulary

@Suite struct StreamingTests {
    private static let chat = "/v1/chat/completions"
    private static let completions = "/v1/completions"
    private static let messages = #""messages":[{"role":"user","content":"Hi"}],"stream":true"#

    @Test func streamsAChatInOrder() async throws {
        try await RunningGateway.with { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.send("POST", Self.chat, #"{\#(Self.messages),"max_tokens":2}"#)
                let head = try await connection.head()
                #expect(head.status == 200)
                #expect(head.headers["content-type"] == "text/event-stream; charset=utf-8")
                #expect(head.headers["cache-control"] == "no-cache")
                let events = try await connection.events()
                #expect(events.last == "[DONE]")
                let chunks = try events.dropLast().map { try JSON(parsing: $0.utf8) }
                #expect(chunks.count == 4)
                #expect(
                    chunks.map { $0["choices"][0]["delta"] } == [
                        ["role": "assistant", "content": ""], ["content": "a"], ["content": "b"], [:],
                    ])
                #expect(chunks.map { $0["choices"][0]["finish_reason"] } == [nil, nil, nil, "length"])
                #expect(chunks.allSatisfy { $0["object"] == "chat.completion.chunk" && $0["model"] == "tiny" })
                #expect(Set(chunks.map { $0["id"] }).count == 1)
                #expect(chunks.allSatisfy { !$0.names.contains("usage") })
                #expect(chunks.last?["timings"]["predicted_n"] == 2)
                // The connection is there for the next request.
                #expect(try await connection.ask("GET", "/health").status == 200)
            }
        }
    }

    @Test func tellsTheUsageLast() async throws {
        try await RunningGateway.with { gateway in
            let chunks = try await gateway.chunks(
                Self.chat, #"{\#(Self.messages),"max_tokens":2,"stream_options":{"include_usage":true}}"#)
            let last = try #require(chunks.last)
            #expect(last["choices"] == [])
            #expect(last["usage"]["completion_tokens"] == 2)
            #expect(last["usage"]["total_tokens"] == 10)
            #expect(last["timings"]["prompt_ms"] == 500)
            #expect(chunks.dropLast().allSatisfy { $0.names.contains("usage") && $0["usage"] == nil })
        }
    }

    @Test func streamsCompletionsWithLogprobs() async throws {
        try await RunningGateway.with { gateway in
            let chunks = try await gateway.chunks(
                Self.completions,
                #"{"prompt":"xy","stream":true,"max_tokens":2,"logprobs":1,"echo":true,"temperature":0}"#)
            #expect(chunks.map { $0["choices"][0]["text"].text } == ["xy", "a", "b", ""])
            #expect(chunks.allSatisfy { $0["object"] == "text_completion" })
            let entries = chunks.map { $0["choices"][0]["logprobs"]["content"].elements.map { $0["id"].number } }
            #expect(entries == [[120, 121], [97], [98], []])
        }
    }

    @Test func interleavesChoices() async throws {
        // No generation ends before all have begun.
        let begun = Mutex(0)
        let service = FakeService { request, events in
            events.yield(.output(text: "a", tokens: []))
            begun.withLock { $0 += 1 }
            while begun.withLock({ $0 }) < 4 { try? await Task.sleep(for: .milliseconds(10)) }
            try? await Task.sleep(for: .milliseconds(200))
            for letter in ["b", "c"] { events.yield(.output(text: letter, tokens: [])) }
            events.yield(.finished(.stop, FakeService.usage(request, outputTokenCount: 3)))
        }
        try await RunningGateway.with(service) { gateway in
            let chunks = try await gateway.chunks(
                Self.completions, #"{"prompt":["x","yy"],"n":2,"stream":true,"stream_options":{"include_usage":true}}"#)
            var texts = [String](repeating: "", count: 4)
            var finished = Set<Int>()
            var begunAtFirstEnd: Int?
            for chunk in chunks.dropLast() {
                let choice = chunk["choices"][0]
                let index = Int(try #require(choice["index"].number))
                let text = try #require(choice["text"].text)
                texts[index] += text
                #expect(!finished.contains(index))
                if choice["finish_reason"] == "stop" {
                    begunAtFirstEnd = begunAtFirstEnd ?? texts.count { !$0.isEmpty }
                    finished.insert(index)
                }
            }
            #expect(texts == ["abc", "abc", "abc", "abc"])
            #expect(finished == [0, 1, 2, 3])
            #expect(begunAtFirstEnd == 4)
            #expect(chunks.last?["usage"]["prompt_tokens"] == 3)
            #expect(chunks.last?["usage"]["completion_tokens"] == 12)
        }
    }

    @Test func sendsCommentsWhileThereIsNothingToSay() async throws {
        let service = FakeService { request, events in
            events.yield(.accepted(RequestID(1)))
            try? await Task.sleep(for: .milliseconds(500))
            events.yield(.output(text: "late", tokens: []))
            events.yield(.finished(.stop, FakeService.usage(request, outputTokenCount: 1)))
        }
        try await RunningGateway.with(service, pingInterval: .milliseconds(50)) { gateway in
            let events = try await gateway.events(Self.chat, "{\(Self.messages)}")
            #expect(events.prefix { $0 == ": ping" }.count >= 2)
            let rest = events.drop { $0 == ": ping" }.filter { $0 != ": ping" }
            #expect(rest.count == 4)
            #expect(rest.last == "[DONE]")
        }
    }

    @Test func holdsBackWhatIsNotYetText() async throws {
        let service = FakeService { request, events in
            events.yield(.output(text: "", tokens: [TokenScore(token: 0xC3, position: 1)]))
            events.yield(.output(text: "é", tokens: [TokenScore(token: 0xA9, position: 2)]))
            events.yield(.finished(.stop, FakeService.usage(request, outputTokenCount: 2)))
        }
        try await RunningGateway.with(service) { gateway in
            let chunks = try await gateway.chunks(Self.completions, #"{"prompt":"x","stream":true}"#)
            #expect(chunks.map { $0["choices"][0]["text"].text } == ["é", ""])
        }
    }

    @Test(arguments: [
        (GenerationFailure.Kind.overloaded, 503), (.rateLimited, 429), (.timedOut, 504), (.unavailable, 503), (.interrupted, 500), (.invalid, 400),
        (.unknownModel, 404),
    ])
    func tellsByStatusWhatFailsAtOnce(kind: GenerationFailure.Kind, status: Int) async throws {
        let service = FakeService { _, events in
            events.yield(.accepted(RequestID(1)))
            events.yield(.failed(GenerationFailure(kind, "because")))
        }
        try await RunningGateway.with(service) { gateway in
            for streams in ["true", "false"] {
                let answer = try await gateway.post(Self.completions, #"{"prompt":"x","stream":\#(streams)}"#)
                #expect(answer.status == status)
                let error = try answer.json["error"]
                #expect(error.names == ["message", "type", "param", "code"])
                #expect(error["message"] == "because")
                #expect((answer.headers["retry-after"] != nil) == (status == 429 || status == 503))
            }
        }
    }

    @Test func tellsInTheStreamWhatFailsLater() async throws {
        let service = FakeService { request, events in
            events.yield(.output(text: "some", tokens: []))
            try? await Task.sleep(for: .milliseconds(20))
            guard request.sampling.choice == 0 else {
                try? await Task.sleep(for: .seconds(60))
                return
            }
            events.yield(.failed(GenerationFailure(.interrupted, "node b was lost")))
        }
        try await RunningGateway.with(service) { gateway in
            let events = try await gateway.events(Self.completions, #"{"prompt":"x","n":2,"stream":true}"#)
            let error = try JSON(parsing: try #require(events.last).utf8)["error"]
            #expect(error["message"] == "node b was lost")
            #expect(error["code"] == "interrupted")
            #expect(!events.contains("[DONE]"))
            // The other choice is for nobody now.
            #expect(await gateway.service.waitForCancelled(1))
        }
    }

    @Test func aGenerationThatEndsWithoutAResultIsAnError() async throws {
        let service = FakeService { _, events in events.yield(.accepted(RequestID(1))) }
        try await RunningGateway.with(service) { gateway in
            for streams in ["true", "false"] {
                let answer = try await gateway.post(Self.completions, #"{"prompt":"x","stream":\#(streams)}"#)
                #expect(answer.status == 500)
            }
        }
    }
}
