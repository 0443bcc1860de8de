import Foundation
import LoadTest
import OpenAIClient
import Testing

@Suite struct ScannedChunkTests {
    private static let samples = [
        #"{"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"m","choices":[{"index":0,"#
            + #""text":" héllo","logprobs":null,"finish_reason":null}]}"#,
        #"{"choices": [ {"index":0,"text":"a\n\"b\\\/\t","finish_reason":"length"} ], "usage": null}"#,
        #"{"id":"x","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,"#
            + #""prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0}}}"#,
        #"{"choices":[],"usage":{"prompt_tokens":12,"prompt_tokens_details":null}}"#,
        #"{"choices":[{"index":1,"text":"t","logprobs":{"content":[{"token":"t","logprob":-1.5e-3,"bytes":[116],"#
            + #""top_logprobs":[]}]},"finish_reason":"stop"},{"index":0,"text":"u"}]}"#,
    ]

    private static let chatSamples = [
        #"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":"🙂"},"finish_reason":null}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        #"{"id":"c","choices":[{"index":0,"delta":{"content":null}}],"usage":{"completion_tokens":1}}"#,
    ]

    private func decoded(_ json: [UInt8]) -> ScannedChunk? {
        (try? JSONDecoder().decode(Completion.self, from: Data(json))).map(ScannedChunk.init)
    }

    private func decodedChat(_ json: [UInt8]) -> ScannedChunk? {
        (try? JSONDecoder().decode(ChatChunk.self, from: Data(json))).map(ScannedChunk.init)
    }

    @Test func saysWhatTheDecoderSays() {
        for sample in Self.samples {
            let json = Array(sample.utf8)
            let scanned: ScannedChunk? = ScannedChunk(json)
            #expect(scanned != nil && scanned == decoded(json), "\(sample)")
        }
        for sample in Self.chatSamples {
            let json = Array(sample.utf8)
            let scanned: ScannedChunk? = ScannedChunk(json)
            #expect(scanned != nil && scanned == decodedChat(json), "\(sample)")
        }
    }

    @Test(arguments: [
        "", "{", "{}", "[]", "null", #"{"choices":[]} x"#, #"{"choices":[{"index":0}]}"#, #"{"choices":null}"#,
        #"{"error":{"message":"x"},"choices":[]}"#, #"{"choices":[{"index":0,"text":"\u0041"}]}"#,
        #"{"choices":[{"index":0,"text":"a"#, #"{"choices":[{"index":0,"text":5}]}"#,
        #"{"choices":[],"usage":{"prompt_tokens":1.5}}"#, #"{"choices":[],"usage":{"prompt_tokens":-1}}"#,
        #"{"choices":[],"usage":{"prompt_tokens":99999999999999999999}}"#,
    ])
    func leavesTheUnusualToTheDecoder(json: String) { #expect(ScannedChunk(Array(json.utf8)) == nil) }

    @Test func deepValuesAreLeftToTheDecoder() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(ScannedChunk(Array("{\"choices\":[],\"x\":\(deep)".utf8)) == nil)
    }

    /// Whatever both can read, both read alike; nothing traps.
    @Test func damagedChunksAreReadAlikeOrNotAtAll() {
        var state: UInt64 = 11
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let alphabet = Array("{}[]\",:\\0123 ntu-eé".utf8)
        var bothCount = 0
        for round in 0..<20_000 {
            let isChat = round % 2 == 1
            let samples = isChat ? Self.chatSamples : Self.samples
            var json = Array(samples[next(samples.count)].utf8)
            let place = next(json.count)
            switch next(4) {
            case 0: json[place] = alphabet[next(alphabet.count)]
            case 1: json[place] = UInt8(next(256))
            case 2: json.insert(alphabet[next(alphabet.count)], at: place)
            default: json.removeSubrange(place..<min(json.count, place + 1 + next(4)))
            }
            guard let scanned = ScannedChunk(json), let full = isChat ? decodedChat(json) : decoded(json) else {
                continue
            }
            bothCount += 1
            #expect(scanned == full, "\(String(decoding: json, as: UTF8.self))")
        }
        #expect(bothCount > 2000)
    }
}
