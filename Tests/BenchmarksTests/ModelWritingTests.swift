import Foundation
import ModelWriting
import Models
import Tensors
import Testing

@Suite struct ModelWritingTests {
    private static let shape = LlamaShape(
        layerCount: 3, hiddenSize: 256, feedForwardSize: 512, headCount: 4, kvHeadCount: 2, headSize: 64,
        vocabularySize: 600, contextLength: 128)

    private func withModel<R>(
        _ model: RandomLlama, threads: Int = 2, _ body: (String) throws -> R
    ) throws -> R {
        let path = FileManager.default.temporaryDirectory.appending(path: "shardline-\(UUID().uuidString).gguf").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try model.write(
            to: path, name: "random", tokenizer: SyntheticTokenizer.keys(size: model.shape.vocabularySize),
            context: try ComputeContext(threadCount: threads))
        return try body(path)
    }

    private func model(_ mix: String, isTied: Bool = true, seed: UInt64 = 1) throws -> RandomLlama {
        RandomLlama(shape: Self.shape, mix: try #require(FormatMix(named: mix)), isTied: isTied, seed: seed)
    }

    @Test(arguments: [true, false])
    func whatIsWrittenIsAModel(isTied: Bool) throws {
        try withModel(try model("Q8_0", isTied: isTied)) { path in
            let file = try ModelFile(path: path)
            let description = try ModelDescription(file)
            #expect(description.name == "random")
            #expect(description.layerCount == 3)
            #expect((description.hiddenSize, description.feedForwardSize) == (256, 512))
            #expect((description.headCount, description.kvHeadCount, description.headSize) == (4, 2, 64))
            #expect((description.vocabularySize, description.contextLength) == (600, 128))
            #expect(description.hasTiedEmbedding == isTied)
            #expect(file.tensor(TensorNames.layer(1).down)?.format == .q8_0)
            #expect(file.tensor(TensorNames.outputNorm)?.format == .f32)
        }
    }

    @Test func theTokenizerSpeaks() throws {
        try withModel(try model("F16")) { path in
            let tokenizer = try Tokenizer(try ModelFile(path: path))
            #expect(tokenizer.vocabularySize == 600)
            let text = "Any text, in any script: 漢字\n"
            #expect(tokenizer.decode(tokenizer.encode(text)) == text)
            // Tokens 257 on are byte 0 with another behind it, those from 513 on byte 1, each reached by a merge.
            #expect(tokenizer.encode("\u{1}!") == [513 + 0x21])
        }
    }

    @Test func theSeedDecidesAndTheThreadsDoNot() throws {
        func bytes(seed: UInt64, threads: Int) throws -> Data {
            try withModel(try model("Q4_1", seed: seed), threads: threads) {
                try Data(contentsOf: URL(fileURLWithPath: $0))
            }
        }
        let first = try bytes(seed: 1, threads: 1)
        #expect(try bytes(seed: 1, threads: 3) == first)
        #expect(try bytes(seed: 2, threads: 1) != first)
    }

    @Test func rowsThatAreNoWholeBlocksAreRefused() throws {
        var model = try model("Q4_0")
        model.shape.feedForwardSize = 500
        #expect {
            try withModel(model) { _ in }
        } throws: {
            "\($0)".contains("blk.0.ffn_down.weight has rows of 500 values, which Q4_0 cannot have")
        }
    }

    @Test func aCopyHasTheSameValuesAndMetadata() throws {
        let copyPath = FileManager.default.temporaryDirectory
            .appending(path: "shardline-\(UUID().uuidString).gguf").path
        defer { try? FileManager.default.removeItem(atPath: copyPath) }
        try withModel(try model("Q4_1")) { path in
            let context = try ComputeContext(threadCount: 2)
            let file = try ModelFile(path: path)
            try ModelCopy(of: file, mix: FormatMix(base: .f32), context: context).write(to: copyPath)
            let copy = try ModelFile(path: copyPath)
            #expect(copy.metadata == file.metadata)
            #expect(copy.tensors.map(\.name) == file.tensors.map(\.name))
            #expect(copy.tensors.allSatisfy { $0.format == .f32 })
            for (source, target) in zip(file.tensors, copy.tensors) {
                let packed = try context.pack(
                    file.bytes(of: source), format: source.format, rows: source.rows, columns: source.columns)
                var values = [Float](repeating: 0, count: source.columns)
                let row = source.rows - 1
                values.withUnsafeMutableBufferPointer { values in
                    if let base = values.baseAddress { packed.dequantizeRow(row, into: base) }
                }
                let written = copy.bytes(of: target).dropFirst(4 * row * source.columns)
                #expect(values.withUnsafeBytes { $0.elementsEqual(written) }, "\(source.name)")
            }
        }
    }

    // MARK: Mixes

    @Test func layersThatKeepMoreBits() {
        // The eight of sixteen layers that llama-quantize gives more bits in a model of that many.
        let layers = (0..<16).filter { better(layer: $0, of: 16) }
        #expect(layers == [0, 1, 4, 7, 10, 13, 14, 15])
        #expect((0..<30).filter { better(layer: $0, of: 30) } == [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 26, 27, 28, 29])
    }

    private func better(layer: Int, of count: Int) -> Bool {
        let mix = FormatMix(base: .q4_0, output: .f16, better: .q8_0)
        return mix.format(of: .sensitive(layer: layer), layerCount: count) == .q8_0
    }

    @Test func mixesByName() throws {
        let mix = try #require(FormatMix(named: "q4_k_m"))
        #expect(mix == FormatMix(base: .q4_k, output: .q6_k, better: .q6_k))
        #expect(mix.format(of: .output, layerCount: 16) == .q6_k)
        #expect(mix.format(of: .embedding, layerCount: 16) == .q4_k)
        #expect(mix.format(of: .other, layerCount: 16) == .q4_k)
        #expect(FormatMix(named: "Q8_0", output: .f16) == FormatMix(base: .q8_0, output: .f16))
        #expect(FormatMix(named: "Q4_K_X") == nil)
        #expect(FormatMix(named: "Q8_0_M") == nil)
        for name in FormatMix.names { #expect(FormatMix(named: name) != nil, "\(name)") }
    }
}
