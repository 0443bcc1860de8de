import Testing
import Vocabulary

@Suite struct CompletionTests {
    private static let path = "/v1/completions"

    @Test func answersInOpenAIsShape() async throws {
        try await RunningGateway.with { gateway in
            let answer = try await gateway.post(
                Self.path, #"{"model":"tiny","prompt":"Hi you","max_tokens":4,"unheard_of":{"x":1}}"#)
            #expect(answer.status == 200)
            let json = try answer.json
            #expect(json["object"] == "text_completion")
            #expect(json["id"].text?.wholeMatch(of: /cmpl-[0-9a-f]{32}/) != nil)
            #expect(json["model"] == "tiny")
            #expect(json["system_fingerprint"] == "fp_0123456789ab")
            #expect(json["choices"] == [["index": 0, "text": "abcd", "logprobs": nil, "finish_reason": "length"]])
            #expect(
                json["usage"] == [
                    "prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10,
                    "prompt_tokens_details": ["cached_tokens": 1],
                ])
            #expect(json["timings"]["prompt_n"] == 5)
            #expect(json["timings"]["prompt_ms"] == 500)
            #expect(json["timings"]["predicted_n"] == 4)
            #expect(json["timings"]["predicted_ms"] == 250)
            #expect(json["timings"]["predicted_per_second"] == 16)
            // Fields stand in OpenAI's order.
            #expect(answer.text.hasPrefix(#"{"id":"cmpl-"#))
        }
    }

    @Test func hasOpenAIsDefaults() async throws {
        try await RunningGateway.with { gateway in
            for _ in 0..<2 { _ = try await gateway.post(Self.path, #"{"prompt":"x"}"#) }
            let requests = gateway.service.requests
            var expected = GenerationRequest(model: "tiny", prompt: [120], outputTokenCountMax: 16)
            expected.sampling.temperature = 1
            expected.sampling.seed = requests[0].sampling.seed
            #expect(requests[0] == expected)
            // Without a seed each request draws its own.
            #expect(requests[0].sampling.seed != requests[1].sampling.seed)
        }
    }

    @Test func passesEveryParameterOn() async throws {
        try await RunningGateway.with { gateway in
            let body = """
                {"model":"tiny","prompt":"x","max_tokens":9,"temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.05,
                "repetition_penalty":1.1,"presence_penalty":-0.5,"frequency_penalty":0.25,"seed":18446744073709551615,
                "stop":["\\n","END"],"logprobs":3,"ignore_eos":true,"min_tokens":2,"include_stop_str_in_output":true,
                "user":"me","cache_prompt":true,"n_probs":3,"best_of":1,"n":1,"logit_bias":{},"suffix":null}
                """
            let answer = try await gateway.post(Self.path, body)
            #expect(answer.status == 200)
            var sampling = SamplingParameters()
            sampling.temperature = 0.5
            sampling.topP = 0.9
            sampling.topK = 40
            sampling.minP = 0.05
            sampling.repetitionPenalty = 1.1
            sampling.presencePenalty = -0.5
            sampling.frequencyPenalty = 0.25
            sampling.seed = .max
            sampling.topLogprobCount = 3
            var expected = GenerationRequest(
                model: "tiny", prompt: [120], sampling: sampling, outputTokenCountMax: 9, outputTokenCountMin: 2,
                ignoresEnd: true, stopStrings: ["\n", "END"], includesStopString: true)
            expected.tenant = "me"
            #expect(gateway.service.requests == [expected])
        }
    }

    @Test(arguments: [(#"-1"#, UInt64.max), ("7", 7), ("9223372036854775808", 1 << 63)])
    func takesSeedsOf64Bits(json: String, seed: UInt64) async throws {
        try await RunningGateway.with { gateway in
            _ = try await gateway.post(Self.path, #"{"prompt":"x","seed":\#(json)}"#)
            #expect(gateway.service.requests.first?.sampling.seed == seed)
        }
    }

    @Test func keepsWhatSamplersCannotBearAwayFromThem() async throws {
        try await RunningGateway.with { gateway in
            let answer = try await gateway.post(Self.path, #"{"prompt":"x","temperature":1e-30,"top_p":0,"top_k":-1}"#)
            #expect(answer.status == 200)
            let sampling = try #require(gateway.service.requests.first).sampling
            #expect(sampling.temperature == 0)
            #expect(sampling.topP > 0)
            #expect(sampling.topK == 0)
        }
    }

    @Test(
        arguments: [
            (#""ab""#, [[97, 98]]), (#"["a","bc"]"#, [[97], [98, 99]]), ("[5,256,0]", [[5, 256, 0]]),
            ("[[1,2],[3]]", [[1, 2], [3]]),
        ] as [(String, [[TokenID]])])
    func takesPromptsInEveryForm(json: String, prompts: [[TokenID]]) async throws {
        try await RunningGateway.with { gateway in
            let answer = try await gateway.post(Self.path, #"{"prompt":\#(json)}"#)
            #expect(answer.status == 200)
            let choices = try answer.json["choices"].elements
            #expect(choices.map { $0["index"] } == (0..<prompts.count).map { .number(Double($0)) })
            #expect(Set(gateway.service.requests.map(\.prompt)) == Set(prompts))
        }
    }

    @Test func numbersTheChoicesOfEachPrompt() async throws {
        try await RunningGateway.with { gateway in
            let json = try await gateway.post(
                Self.path, #"{"prompt":["one","three"],"n":3,"max_tokens":2,"seed":5,"echo":true}"#
            ).json
            let texts = json["choices"].elements.map { $0["text"].text }
            #expect(texts == ["oneab", "onebc", "onecd", "threeab", "threebc", "threecd"])
            #expect(json["choices"].elements.map { $0["index"].number } == [0, 1, 2, 3, 4, 5])
            #expect(Set(gateway.service.requests.map(\.sampling.seed)) == [5])
            #expect(gateway.service.requests.map(\.sampling.choice).sorted() == [0, 0, 1, 1, 2, 2])
            // A prompt's tokens count once, however many choices it has.
            #expect(json["usage"]["prompt_tokens"] == 8)
            #expect(json["usage"]["completion_tokens"] == 12)
            #expect(json["usage"]["prompt_tokens_details"]["cached_tokens"] == 2)
        }
    }

    @Test func reportsLogprobs() async throws {
        try await RunningGateway.with { gateway in
            let json = try await gateway.post(Self.path, #"{"prompt":"x","max_tokens":1,"logprobs":2}"#).json
            let expected: JSON = [
                "content": [
                    [
                        "token": "a", "logprob": -0.25, "bytes": [97], "id": 97,
                        "top_logprobs": [
                            ["token": "a", "logprob": -0.25, "bytes": [97], "id": 97],
                            ["token": "b", "logprob": -0.5, "bytes": [98], "id": 98],
                        ],
                    ]
                ]
            ]
            #expect(json["choices"][0]["logprobs"] == expected)
            let none = try await gateway.post(Self.path, #"{"prompt":"x","max_tokens":1,"logprobs":0}"#).json
            #expect(none["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == [])
        }
    }

    @Test func spellsOddTokensAndImpossibleProbabilities() async throws {
        let service = FakeService { request, events in
            let scores = [
                TokenScore(token: 0xC3, position: 1, logprob: -.infinity),
                TokenScore(token: 256, position: 2, logprob: -1),
            ]
            events.yield(.output(text: "\u{1}\"\\é\u{2028}\n", tokens: scores))
            events.yield(.finished(.stop, FakeService.usage(request, outputTokenCount: 2)))
        }
        try await RunningGateway.with(service) { gateway in
            let choice = try await gateway.post(Self.path, #"{"prompt":"x","logprobs":0}"#).json["choices"][0]
            #expect(choice["text"] == "\u{1}\"\\é\u{2028}\n")
            #expect(choice["finish_reason"] == "stop")
            let entries = choice["logprobs"]["content"]
            #expect(entries[0]["token"] == "\u{FFFD}")
            #expect(entries[0]["bytes"] == [0xC3])
            #expect(entries[0]["logprob"] == -9999)
            #expect(entries[1]["token"] == "<end>")
            #expect(entries[1]["bytes"] == nil)
            #expect(entries[1]["id"] == 256)
        }
    }

    @Test func givesThePromptBack() async throws {
        try await RunningGateway.with { gateway in
            let text = try await gateway.post(Self.path, #"{"prompt":"é!","echo":true,"max_tokens":1}"#).json
            #expect(text["choices"][0]["text"] == "é!a")
            // Bytes of one character in two tokens.
            let tokens = try await gateway.post(Self.path, #"{"prompt":[195,169],"echo":true,"max_tokens":1}"#).json
            #expect(tokens["choices"][0]["text"] == "éa")
            #expect(gateway.service.requests.allSatisfy { !$0.scoresPrompt })
        }
    }

    @Test func scoresThePrompt() async throws {
        try await RunningGateway.with { gateway in
            let choice = try await gateway.post(
                Self.path, #"{"prompt":"xyz","echo":true,"logprobs":1,"max_tokens":1}"#
            ).json["choices"][0]
            #expect(choice["text"] == "xyza")
            let entries = choice["logprobs"]["content"]
            #expect(entries.elements.map { $0["token"].text } == ["x", "y", "z", "a"])
            #expect(entries.elements.map { $0["logprob"] } == [nil, -0.25, -0.25, -0.25])
            #expect(entries[0]["top_logprobs"] == [])
            #expect(entries[1]["top_logprobs"][0]["id"] == 121)
        }
    }

    @Test func scoresThePromptAlone() async throws {
        try await RunningGateway.with { gateway in
            let json = try await gateway.post(
                Self.path, #"{"prompt":"xyz","echo":true,"logprobs":0,"max_tokens":0}"#
            ).json
            #expect(json["choices"][0]["text"] == "xyz")
            #expect(json["choices"][0]["logprobs"]["content"].elements.count == 3)
            #expect(json["choices"][0]["finish_reason"] == "length")
            #expect(json["usage"]["completion_tokens"] == 0)
        }
    }

    @Test func cutsTheOutputToTheContext() async throws {
        try await RunningGateway.with { gateway in
            let answer = try await gateway.post(Self.path, #"{"prompt":"0123456789","max_tokens":2147483647}"#)
            #expect(answer.status == 200)
            #expect(gateway.service.requests.first?.outputTokenCountMax == 54)
        }
    }

    @Test func manyAtOnceDoNotMix() async throws {
        let service = FakeService { request, events in
            for token in request.prompt {
                await Task.yield()
                events.yield(.output(text: String(decoding: [UInt8(token)], as: UTF8.self), tokens: []))
            }
            events.yield(.finished(.stop, FakeService.usage(request, outputTokenCount: request.prompt.count)))
        }
        try await RunningGateway.with(service) { gateway in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<40 {
                    group.addTask {
                        let json = try await gateway.post(Self.path, #"{"prompt":"request \#(number)"}"#).json
                        #expect(json["choices"][0]["text"] == .string("request \(number)"))
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
