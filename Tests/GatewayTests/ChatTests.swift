import Testing
import Vocabulary

@Suite struct ChatTests {
    private static let path = "/v1/chat/completions"

    @Test func answersInOpenAIsShape() async throws {
        try await RunningGateway.with { gateway in
            let answer = try await gateway.post(
                Self.path, #"{"model":"tiny","messages":[{"role":"user","content":"Hi"}],"max_tokens":3}"#)
            #expect(answer.status == 200)
            let json = try answer.json
            #expect(json["object"] == "chat.completion")
            #expect(json["id"].text?.wholeMatch(of: /chatcmpl-[0-9a-f]{32}/) != nil)
            let message: JSON = ["role": "assistant", "content": "abc", "refusal": nil]
            #expect(
                json["choices"] == [["index": 0, "message": message, "logprobs": nil, "finish_reason": "length"]])
            #expect(json["usage"]["prompt_tokens"] == 8)
            #expect(gateway.service.requests.first?.prompt == "user:Hi;".utf8.map { TokenID($0) })
        }
    }

    @Test func leavesTheLengthToTheContext() async throws {
        try await RunningGateway.with { gateway in
            _ = try await gateway.post(Self.path, #"{"messages":[{"role":"user","content":"Hi"}]}"#)
            #expect(try #require(gateway.service.requests.first).outputTokenCountMax == nil)
            _ = try await gateway.post(
                Self.path, #"{"messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":7,"max_tokens":9}"#)
            #expect(gateway.service.requests.last?.outputTokenCountMax == 7)
        }
    }

    @Test func takesTextParts() async throws {
        try await RunningGateway.with { gateway in
            let body = """
                {"messages":[{"role":"system","content":"s"},{"role":"user","name":"me","content":[
                {"type":"text","text":"one"},{"type":"text","text":"two"}]}],"tools":[],"tool_choice":"none",
                "response_format":{"type":"text"},"modalities":["text"],"metadata":{"a":"b"},"store":false}
                """
            let answer = try await gateway.post(Self.path, body)
            #expect(answer.status == 200)
            #expect(gateway.service.requests.first?.prompt == "system:s;user:one\ntwo;".utf8.map { TokenID($0) })
        }
    }

    @Test func reportsLogprobs() async throws {
        try await RunningGateway.with { gateway in
            let messages = #""messages":[{"role":"user","content":"Hi"}],"max_tokens":2"#
            let two = try await gateway.post(Self.path, #"{\#(messages),"logprobs":true,"top_logprobs":2}"#).json
            let entries = two["choices"][0]["logprobs"]["content"]
            #expect(entries.elements.map { $0["id"].number } == [97, 98])
            #expect(entries[1]["top_logprobs"].elements.map { $0["id"].number } == [98, 99])
            let none = try await gateway.post(Self.path, #"{\#(messages),"logprobs":true}"#).json
            #expect(none["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == [])
            let off = try await gateway.post(Self.path, #"{\#(messages),"logprobs":false}"#).json
            #expect(off["choices"][0]["logprobs"] == nil)
        }
    }

    @Test func refusesModelsThatCannotChat() async throws {
        try await RunningGateway.with(codec: FakeCodec(chatRefusal: "its file has no chat template")) { gateway in
            let answer = try await gateway.post(Self.path, #"{"messages":[{"role":"user","content":"Hi"}]}"#)
            #expect(answer.status == 400)
            #expect(try answer.json["error"]["message"].text?.contains("no chat template") == true)
            #expect(try await gateway.post("/v1/completions", #"{"prompt":"Hi"}"#).status == 200)
        }
    }
}
