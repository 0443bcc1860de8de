import Models
import Testing
import Vocabulary

@Suite struct TokenizerTests {
    private func tokenizer(_ pre: String = "gpt-2", _ change: (inout GGUFWriter) -> Void = { _ in }) throws -> Tokenizer
    {
        var writer = TinyModel.writer(pre: pre)
        change(&writer)
        return try Tokenizer(ModelFile(writer))
    }

    private func byte(_ character: Unicode.Scalar) -> TokenID { TinyModel.token(ofByte: UInt8(character.value)) }
    private func merge(_ index: Int) -> TokenID { TinyModel.token(ofMerge: index) }

    @Test func mergesInOrderOfRank() throws {
        let tokenizer = try tokenizer()
        #expect(tokenizer.encode("hello") == [merge(3)])
        #expect(tokenizer.encode("hello wo") == [merge(3), merge(8)])
        #expect(tokenizer.encode("helo") == [merge(0), byte("l"), byte("o")])
        // Leftmost of equals.
        #expect(tokenizer.encode("aaa") == [merge(5), byte("a")])
        #expect(tokenizer.encode("aaaaaaa") == [merge(6), merge(5), byte("a")])
    }

    @Test func controlTokensAreParsedOnlyWhenAsked() throws {
        let tokenizer = try tokenizer()
        let text = "hello<|im_end|>aa"
        #expect(tokenizer.encode(text) == [merge(3), 2, merge(5)])
        let plain = tokenizer.encode(text, parsesControlTokens: false)
        #expect(!plain.contains(2))
        #expect(tokenizer.decode(plain) == text)
        // Longest first, and no half of one.
        #expect(tokenizer.encode("<|im|><|im|>") == [5])
        #expect(tokenizer.encode("<|im|>a<|im|") == [4, byte("a")] + "<|im|".unicodeScalars.map(byte))
        #expect(tokenizer.bytes(of: 2).isEmpty)
        #expect(tokenizer.piece(of: 2) == "<|im_end|>")
    }

    @Test func userDefinedTokensAreAlwaysParsed() throws {
        let tokenizer = try tokenizer()
        for parses in [true, false] {
            let tokens = tokenizer.encode("a[[tool]]a", parsesControlTokens: parses)
            #expect(tokens == [byte("a"), TinyModel.userDefined, byte("a")])
            #expect(tokenizer.decode(tokens) == "a[[tool]]a")
        }
    }

    @Test func segmentsJoinButDoNotShareControlTokens() throws {
        let tokenizer = try tokenizer()
        let joined = tokenizer.encode([
            TextSegment("hel", parsesControlTokens: true), TextSegment("lo", parsesControlTokens: false),
        ])
        #expect(joined == [merge(3)])
        let split = tokenizer.encode([
            TextSegment("<|im_", parsesControlTokens: true), TextSegment("end|>", parsesControlTokens: true),
        ])
        #expect(!split.contains(2))
    }

    @Test func beginningAndEndAsTheFileSaysOrAsAsked() throws {
        let silent = try tokenizer()
        #expect(silent.encode("a") == [byte("a")])
        #expect(silent.encode("a", addsBeginning: true, addsEnd: true) == [1, byte("a"), 2])
        let adding = try tokenizer("gpt-2") {
            $0.set("tokenizer.ggml.add_bos_token", .bool(true))
            $0.set("tokenizer.ggml.add_eos_token", .bool(true))
        }
        #expect(adding.encode("") == [1, 2])
        #expect(adding.encode("a", addsBeginning: false, addsEnd: false) == [byte("a")])
        let llama = try tokenizer("llama-bpe") { $0.set("tokenizer.ggml.add_bos_token", nil) }
        #expect(llama.encode("a") == [1, byte("a")])
    }

    @Test func wholeWordsGoFirstInLlamaBPE() throws {
        // "hello" is a token, but this file's merges no longer reach it.
        let change: (inout GGUFWriter) -> Void = { $0.set("tokenizer.ggml.merges", .strings(["l l"])) }
        #expect(try tokenizer("llama-bpe", change).encode("hello") == [merge(3)])
        #expect(try tokenizer("gpt-2", change).encode("hello") == [byte("h"), byte("e"), merge(1), byte("o")])
    }

    @Test func idsOutsideTheVocabularyHaveNoBytes() throws {
        let tokenizer = try tokenizer()
        for token in [-1, TokenID.min, TokenID.max, TokenID(tokenizer.vocabularySize)] {
            #expect(tokenizer.bytes(of: token).isEmpty)
            #expect(tokenizer.piece(of: token).isEmpty)
        }
        #expect(tokenizer.decode([-1, byte("a"), .max]) == "a")
    }

    @Test func endTokensAreFoundByIDAndByText() throws {
        #expect(try tokenizer().endTokens == [0, 2, 3])
        #expect(try tokenizer("gpt-2") { $0.set("tokenizer.ggml.eot_token_id", .u32(4)) }.endTokens == [0, 2, 3, 4])
    }

    @Test func missingBytesAreLeftOut() throws {
        let tokenizer = try tokenizer("gpt-2") {
            var tokens = TinyModel.tokens
            tokens[Int(self.byte("q"))] = "qq"
            $0.set("tokenizer.ggml.tokens", .strings(tokens))
        }
        #expect(tokenizer.encode("aqa") == [merge(5)])
    }

    @Test(arguments: ["gpt-2", "smollm", "llama-bpe"])
    func anyTextComesBack(pre: String) throws {
        let tokenizer = try tokenizer(pre)
        var random = TestRandom(seed: 3)
        for _ in 0..<2000 {
            let text = random.text(countMax: 50)
            let decoded = tokenizer.decode(
                tokenizer.encode(text, parsesControlTokens: false, addsBeginning: false))
            #expect(decoded.unicodeScalars.elementsEqual(text.unicodeScalars))
        }
    }

    @Test func longWordsAreNotQuadratic() throws {
        let tokenizer = try tokenizer()
        let tokens = tokenizer.encode(String(repeating: "a", count: 1 << 20))
        #expect(tokens == Array(repeating: merge(6), count: 1 << 18))
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var message: String
        var change: @Sendable (inout GGUFWriter) -> Void
        var testDescription: String { message }
        init(_ message: String, _ change: @escaping @Sendable (inout GGUFWriter) -> Void) {
            self.message = message
            self.change = change
        }
    }

    @Test(arguments: [
        Refusal("no metadata key tokenizer.ggml.model") { $0.set("tokenizer.ggml.model", nil) },
        Refusal("tokenizer.ggml.model \"llama\" is not supported; supported: gpt2") {
            $0.set("tokenizer.ggml.model", .string("llama"))
        },
        Refusal("tokenizer.ggml.pre \"qwen2\" is not supported; supported: smollm, gpt-2, llama-bpe") {
            $0.set("tokenizer.ggml.pre", .string("qwen2"))
        },
        Refusal("no tokenizer.ggml.tokens") { $0.set("tokenizer.ggml.tokens", nil) },
        Refusal("tokenizer.ggml.tokens is an integer; it must be an array of strings") {
            $0.set("tokenizer.ggml.tokens", .u32(1))
        },
        Refusal("token_type has 1 elements for") { $0.set("tokenizer.ggml.token_type", .int32s([1])) },
        Refusal("gives token 0 the type 9; there are types 1 to 6") {
            $0.set("tokenizer.ggml.token_type", .int32s(Array(repeating: 9, count: TinyModel.tokens.count)))
        },
        Refusal("no tokenizer.ggml.merges") { $0.set("tokenizer.ggml.merges", nil) },
        Refusal("merge 1 of tokenizer.ggml.merges, \"z z\", does not name two tokens") {
            $0.set("tokenizer.ggml.merges", .strings(["l l", "z z"]))
        },
        Refusal("merge 0 of tokenizer.ggml.merges, \"ll\", does not") {
            $0.set("tokenizer.ggml.merges", .strings(["ll"]))
        },
        Refusal("tokenizer.ggml.eos_token_id is 99999; it must be from 0 to") {
            $0.set("tokenizer.ggml.eos_token_id", .u32(99_999))
        },
        Refusal("tokenizer.ggml.add_bos_token is set, but there is no tokenizer.ggml.bos_token_id") {
            $0.set("tokenizer.ggml.bos_token_id", nil)
            $0.set("tokenizer.ggml.add_bos_token", .bool(true))
        },
    ])
    func isRefused(refusal: Refusal) throws {
        var writer = TinyModel.writer()
        refusal.change(&writer)
        let file = try ModelFile(writer)
        let error = #expect(throws: ModelError.self) { _ = try TextModel(file) }
        #expect(error?.message.contains(refusal.message) == true, "\(error?.message ?? "no error")")
    }
}
