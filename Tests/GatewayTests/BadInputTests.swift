import Testing
import Vocabulary

/// Whatever is sent, the answer is an error of OpenAI's shape, and the next request on the same connection works.
@Suite struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var path: String
        var body: String
        var status = 400
        var param: String?
        var code: String?
        var testDescription: String { "\(path) \(body.prefix(80))" }
    }

    static func completion(_ fields: String, _ param: String?, status: Int = 400, code: String? = nil) -> Case {
        let prompt = fields.contains("\"prompt\"") ? "" : #""prompt":"x","#
        return Case(path: "/v1/completions", body: "{\(prompt)\(fields)}", status: status, param: param, code: code)
    }

    static func chat(_ fields: String, _ param: String?, code: String? = nil) -> Case {
        let messages = fields.contains("\"messages\"") ? "" : #""messages":[{"role":"user","content":"x"}],"#
        return Case(path: "/v1/chat/completions", body: "{\(messages)\(fields)}", param: param, code: code)
    }

    static func malformed(_ body: String) -> Case {
        Case(path: "/v1/completions", body: body, code: "invalid_json")
    }

    static let cases: [Case] = [
        malformed(""), malformed("{"), malformed(#"{"prompt":"x","#), malformed("not json"),
        malformed(#"{"prompt":"x"} trailing"#), malformed(String(repeating: "[", count: 100_000)),
        Case(path: "/v1/completions", body: "[]"), Case(path: "/v1/completions", body: "17"),
        Case(path: "/v1/chat/completions", body: "\"text\""),
        // Models
        completion(#""model":"nobody""#, "model", status: 404, code: "model_not_found"),
        completion(#""model":7"#, "model"),
        // Prompts
        completion(#""model":"tiny","prompt":null"#, "prompt"), completion(#""prompt":"""#, "prompt"),
        completion(#""prompt":[]"#, "prompt"), completion(#""prompt":[[]]"#, "prompt"),
        completion(#""prompt":["a",""]"#, "prompt[1]"), completion(#""prompt":{"a":1}"#, "prompt"),
        completion(#""prompt":["a",1]"#, "prompt"), completion(#""prompt":[1.5]"#, "prompt"),
        completion(#""prompt":true"#, "prompt"), completion(#""prompt":[257]"#, "prompt"),
        completion(#""prompt":[-1]"#, "prompt"), completion(#""prompt":[[1],[99999999999]]"#, "prompt[1]"),
        completion(#""prompt":[99999999999999999999]"#, "prompt"),
        completion(#""prompt":"\#(String(repeating: "x", count: 64))""#, "prompt", code: "context_length_exceeded"),
        completion(#""prompt":"\#(String(repeating: "x", count: 9000))""#, "prompt", code: "context_length_exceeded"),
        completion(#""prompt":["a","b","c"],"n":50"#, "prompt"),
        // Lengths
        completion(#""max_tokens":-1"#, "max_tokens"), completion(#""max_tokens":0"#, "max_tokens"),
        completion(#""max_tokens":2147483648"#, "max_tokens"), completion(#""max_tokens":1e30"#, "max_tokens"),
        completion(#""max_tokens":99999999999999999999"#, "max_tokens"), completion(#""max_tokens":1.5"#, "max_tokens"),
        completion(#""max_tokens":"16""#, "max_tokens"), completion(#""max_tokens":true"#, "max_tokens"),
        completion(#""min_tokens":5,"max_tokens":4"#, "min_tokens"), completion(#""min_tokens":-1"#, "min_tokens"),
        completion(#""min_tokens":100,"max_tokens":1000"#, "min_tokens"),
        // Sampling
        completion(#""temperature":-0.1"#, "temperature"), completion(#""temperature":2.1"#, "temperature"),
        completion(#""temperature":"hot""#, "temperature"), completion(#""temperature":1e999"#, "temperature"),
        completion(#""temperature":[1]"#, "temperature"), malformed(#"{"prompt":"x","temperature":NaN}"#),
        completion(#""top_p":1.01"#, "top_p"), completion(#""top_p":-1"#, "top_p"),
        completion(#""top_k":-2"#, "top_k"), completion(#""top_k":0.5"#, "top_k"), completion(#""min_p":2"#, "min_p"),
        completion(#""repetition_penalty":0"#, "repetition_penalty"),
        completion(#""presence_penalty":2.5"#, "presence_penalty"),
        completion(#""frequency_penalty":-2.5"#, "frequency_penalty"), completion(#""seed":"abc""#, "seed"),
        completion(#""seed":1.5"#, "seed"), completion(#""n":0"#, "n"), completion(#""n":129"#, "n"),
        completion(#""best_of":2"#, "best_of"), completion(#""logprobs":21"#, "logprobs"),
        completion(#""logprobs":true"#, "logprobs"), completion(#""echo":"yes""#, "echo"),
        completion(#""stream":1"#, "stream"), completion(#""stream_options":{}"#, "stream_options"),
        completion(#""stream":true,"stream_options":{"include_usage":1}"#, "stream_options.include_usage"),
        completion(#""stream":true,"stream_options":[]"#, "stream_options"),
        completion(#""stop":5"#, "stop"), completion(#""stop":[1]"#, "stop"), completion(#""stop":"""#, "stop"),
        completion(#""stop":["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q"]"#, "stop"),
        completion(#""ignore_eos":"no""#, "ignore_eos"), completion(#""user":5"#, "user"),
        completion(#""suffix":"end""#, "suffix", code: "unsupported_parameter"),
        completion(#""logit_bias":{"5":1}"#, "logit_bias", code: "unsupported_parameter"),
        // Conversations
        chat(#""messages":null"#, "messages"), chat(#""messages":[]"#, "messages"),
        chat(#""messages":"hi""#, "messages"),
        chat(#""messages":[5]"#, "messages[0]"), chat(#""messages":[{"content":"x"}]"#, "messages[0].role"),
        chat(#""messages":[{"role":"user","content":"x"},{"role":"king","content":"x"}]"#, "messages[1].role"),
        chat(#""messages":[{"role":"user"}]"#, "messages[0].content"),
        chat(#""messages":[{"role":"user","content":5}]"#, "messages[0].content"),
        chat(#""messages":[{"role":"user","content":[{"type":"text"}]}]"#, "messages[0].content[0]"),
        chat(
            #""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]"#,
            "messages[0].content[0]", code: "unsupported_parameter"),
        chat(#""messages":[{"role":"user","content":"\#(String(repeating: "x", count: 70))"}]"#, "messages"),
        chat(#""max_tokens":0"#, "max_tokens"), chat(#""max_completion_tokens":-5"#, "max_completion_tokens"),
        chat(#""logprobs":3"#, "logprobs"), chat(#""top_logprobs":3"#, "top_logprobs"),
        chat(#""logprobs":true,"top_logprobs":21"#, "top_logprobs"),
        chat(#""tools":[{"type":"function"}]"#, "tools", code: "unsupported_parameter"),
        chat(#""tool_choice":"required""#, "tool_choice", code: "unsupported_parameter"),
        chat(#""response_format":{"type":"json_object"}"#, "response_format", code: "unsupported_parameter"),
        chat(#""response_format":"json""#, "response_format"),
        chat(#""modalities":["audio"]"#, "modalities", code: "unsupported_parameter"),
    ]

    @Test(arguments: cases)
    func isRefused(bad: Case) async throws {
        try await RunningGateway.with { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                let answer = try await connection.post(bad.path, bad.body)
                #expect(answer.status == bad.status)
                #expect(answer.headers["content-type"] == "application/json")
                let error = try answer.json["error"]
                #expect(error.names == ["message", "type", "param", "code"])
                #expect(error["message"].text?.isEmpty == false)
                #expect(error["type"] == "invalid_request_error")
                #expect(error["param"] == bad.param.map { .string($0.hasSuffix("[0].text") ? "" : $0) } ?? nil)
                if let code = bad.code { #expect(error["code"] == .string(code)) }
                #expect(gateway.service.requests.isEmpty)
                #expect(try await connection.post("/v1/completions", #"{"prompt":"x"}"#).status == 200)
            }
        }
    }

    @Test func bodiesThatAreTooLarge() async throws {
        try await RunningGateway.with(bodyByteCountMax: 1000) { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                let body = #"{"prompt":"\#(String(repeating: "x", count: 100_000))"}"#
                let answer = try await connection.post("/v1/completions", body)
                #expect(answer.status == 413)
                #expect(try answer.json["error"]["message"].text?.contains("1000 bytes") == true)
                #expect(try await connection.post("/v1/completions", #"{"prompt":"x"}"#).status == 200)
                // A body that does not say how long it is.
                try await connection.send("POST", "/v1/completions", headers: ["Transfer-Encoding: chunked"])
                try await connection.sendRaw("7d0\r\n" + String(repeating: " ", count: 2000) + "\r\n0\r\n\r\n")
                let chunked = try await connection.head()
                #expect(chunked.status == 413)
                _ = try await connection.nextPiece()
                #expect(try await connection.post("/v1/completions", #"{"prompt":"x"}"#).status == 200)
            }
        }
    }

    @Test(arguments: [
        "/", "/v1", "/v1/completions/more", "/v1/embeddings", "/v1/models/nobody", "//", "/health/%2e%2e",
    ])
    func pathsThatLeadNowhere(path: String) async throws {
        try await RunningGateway.with { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                let answer = try await connection.ask("GET", path)
                #expect(answer.status == 404)
                #expect(try answer.json["error"].names == ["message", "type", "param", "code"])
                #expect(try await connection.ask("GET", "/health").status == 200)
            }
        }
    }

    @Test(arguments: [
        "\u{0}\u{1}\r\n\r\n", "GET\r\n\r\n", "POST /v1/completions HTTP/1.1\r\nContent-Length: -4\r\n\r\n",
    ])
    func whatIsNotHTTP(text: String) async throws {
        try await RunningGateway.with { gateway in
            try await HTTPConnection.with(port: gateway.port) { connection in
                try await connection.sendRaw(text)
                if let answer = try? await connection.head() { #expect(answer.status == 400) }
            }
            #expect(try await gateway.post("/v1/completions", #"{"prompt":"x"}"#).status == 200)
        }
    }

    @Test func aModelMustBeNamedWhenThereAreSeveral() async throws {
        let service = FakeService(models: [FakeService.profile("tiny"), FakeService.profile("big")])
        try await RunningGateway.with(service) { gateway in
            let answer = try await gateway.post("/v1/completions", #"{"prompt":"x"}"#)
            #expect(answer.status == 400)
            #expect(try answer.json["error"]["message"].text?.contains("'big'") == true)
            #expect(try await gateway.post("/v1/completions", #"{"prompt":"x","model":"big"}"#).status == 200)
            #expect(gateway.service.requests.first?.model == "big")
        }
    }
}
