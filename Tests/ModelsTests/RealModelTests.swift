import Foundation
import Models
import Testing
import Vocabulary

@Suite(.enabled(if: RealModel.path != nil, RealModel.skipReason))
struct RealModelTests {
    private struct Golden: Decodable {
        var text: String
        var tokens: [TokenID]
    }

    private static func goldens() throws -> [Golden] {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Fixtures/smollm2-tokens.jsonl")
        let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        return try lines.map { try JSONDecoder().decode(Golden.self, from: Data($0.utf8)) }
    }

    @Test func describesItself() throws {
        let file = try RealModel.open()
        #expect(file.tensors.count == 272)
        let description = try ModelDescription(file)
        #expect(description.layerCount == 30)
        #expect(description.hiddenSize == 576)
        #expect((description.headCount, description.kvHeadCount, description.headSize) == (9, 3, 64))
        #expect(description.feedForwardSize == 1536)
        #expect(description.vocabularySize == 49_152)
        #expect(description.rotaryBase == 100_000)
        #expect(description.contextLength == 8192)
        #expect(description.hasTiedEmbedding)
        let profile = description.profile(servedName: "smollm2")
        #expect(profile.embeddingBytes == 30_081_024)
        #expect(profile.headBytes == 30_081_024 + 2304)
        #expect(profile.endTokens == [0, 2])
        #expect(profile.kvBytesPerPositionPerLayer == 768)
    }

    @Test func goldenTokens() throws {
        let tokenizer = try Tokenizer(RealModel.open())
        let goldens = try Self.goldens()
        #expect(goldens.count == 13)
        for golden in goldens {
            #expect(tokenizer.encode(golden.text) == golden.tokens, "\(golden.text.debugDescription)")
            #expect(tokenizer.decode(golden.tokens) == golden.text)
        }
    }

    @Test func anyTextComesBackButForTheBytesTheVocabularyLacks() throws {
        let tokenizer = try Tokenizer(RealModel.open())
        let encodable = Set(
            (0..<TokenID(tokenizer.vocabularySize)).lazy.map(tokenizer.bytes).filter { $0.count == 1 }.joined())
        #expect(encodable.count == 235)
        var random = TestRandom(seed: 5)
        for _ in 0..<1000 {
            let text = random.text(countMax: 80)
            let bytes = tokenizer.encode(text, parsesControlTokens: false).flatMap(tokenizer.bytes)
            #expect(bytes == text.utf8.filter(encodable.contains))
        }
    }

    @Test func chatBeginsWithTheModelsOwnSystemMessage() throws {
        let model = try TextModel(RealModel.open())
        let messages = [ChatMessage(role: "user", content: "Hi")]
        #expect(
            try model.template.render(messages) == """
                <|im_start|>system
                You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
                <|im_start|>user
                Hi<|im_end|>
                <|im_start|>assistant

                """)
        let tokens = try model.encode(messages)
        #expect(tokens.first == 1)
        #expect(tokens.filter { $0 == 2 }.count == 2)
        #expect(tokens == model.tokenizer.encode(try model.template.render(messages)))
    }
}
