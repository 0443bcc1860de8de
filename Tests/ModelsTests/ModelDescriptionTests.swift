import Models
import Tensors
import Testing
import Vocabulary

@Suite struct ModelDescriptionTests {
    @Test func readsSizesAndConstants() throws {
        let description = try ModelDescription(ModelFile(TinyModel.writer()))
        #expect(description.name == "Tiny")
        #expect(description.architecture == "llama")
        #expect(description.layerCount == 2)
        #expect(description.hiddenSize == 64)
        #expect(description.feedForwardSize == 96)
        #expect((description.headCount, description.kvHeadCount, description.headSize) == (4, 2, 16))
        #expect(description.rotaryDimension == 16)
        #expect(description.rotaryBase == 100_000)
        #expect(description.rotaryPairing == .interleaved)
        #expect(description.rotaryFrequencyFactors == nil)
        #expect(description.normEpsilon == 1e-5)
        #expect(description.contextLength == 128)
        #expect(description.vocabularySize == TinyModel.tokens.count)
        #expect(description.hasTiedEmbedding)
    }

    @Test(arguments: [true, false])
    func profileCountsBytesOfUnits(tied: Bool) throws {
        let file = try ModelFile(TinyModel.writer(tied: tied))
        let profile = try ModelDescription(file).profile(servedName: "tiny")
        let embedding = UInt64(TinyModel.tokens.count * 2 * 34)
        #expect(profile.name == "tiny")
        #expect(profile.fingerprint == file.fingerprint)
        #expect(profile.embeddingBytes == embedding)
        #expect(profile.headBytes == 64 * 4 + (tied ? embedding : UInt64(TinyModel.tokens.count * 64 * 2)))
        let layer =
            2 * 64 * 4 + 64 * 2 * 20 + 32 * 2 * 18 + 32 * 64 * 2 + 64 * 64 * 2 + 96 * 64 * 4 + 96 * 2 * 18
            + 64 * 3 * 34
        #expect(profile.layerBytes == [UInt64(layer), UInt64(layer)])
        let all = file.tensors.reduce(UInt64(0)) { $0 + UInt64($1.byteCount) }
        #expect(profile.embeddingBytes + profile.headBytes + UInt64(2 * layer) == all + (tied ? embedding : 0))
        #expect(profile.kvBytesPerPositionPerLayer == 2 * 2 * 16 * 2)
        // eos, and the control tokens that end turns or documents.
        #expect(profile.endTokens == [0, 2, 3])
        #expect((profile.layerCount, profile.hiddenSize, profile.contextLength) == (2, 64, 128))
    }

    @Test func takesDefaultsAndFileNames() throws {
        var writer = TinyModel.writer()
        for key in ["general.name", "llama.rope.freq_base", "llama.vocab_size"] { writer.set(key, nil) }
        writer.set("llama.rope.dimension_count", .u32(8))
        let description = try ModelDescription(ModelFile(writer))
        #expect(description.name == "test")
        #expect(description.rotaryBase == 10_000)
        #expect(description.rotaryDimension == 8)
    }

    @Test func aModelWithoutTokenizerHasNoEndTokens() throws {
        var writer = TinyModel.writer()
        writer.metadata.removeAll { $0.key.hasPrefix("tokenizer.") }
        let description = try ModelDescription(ModelFile(writer))
        #expect(description.profile(servedName: "x").endTokens.isEmpty)
    }

    @Test func linearScalingAndFactorsMultiply() throws {
        var writer = TinyModel.writer()
        writer.set("llama.rope.scaling.type", .string("linear"))
        writer.set("llama.rope.scaling.factor", .f32(4))
        #expect(try ModelDescription(ModelFile(writer)).rotaryFrequencyFactors == Array(repeating: 4, count: 8))
        let factors: [Float] = [1, 1, 1, 2, 3, 4.5, 8, 8]
        let data = factors.flatMap { factor in withUnsafeBytes(of: factor.bitPattern.littleEndian) { Array($0) } }
        writer.tensors.append(GGUFWriter.Tensor("rope_freqs.weight", .f32, columns: 8, data: data))
        #expect(try ModelDescription(ModelFile(writer)).rotaryFrequencyFactors == factors.map { $0 * 4 })
        writer.set("llama.rope.scaling.type", .string("none"))
        #expect(try ModelDescription(ModelFile(writer)).rotaryFrequencyFactors == factors)
    }

    @Test func optionalBiasesAreKnown() throws {
        var writer = TinyModel.writer()
        writer.tensors += [
            GGUFWriter.Tensor("blk.0.attn_q.bias", .f32, columns: 64),
            GGUFWriter.Tensor("blk.1.attn_k.bias", .f32, columns: 32),
        ]
        _ = try ModelDescription(ModelFile(writer))
        writer.tensors[writer.tensors.count - 1].dimensions = [16]
        #expect(throws: ModelError.self) { _ = try ModelDescription(ModelFile(writer)) }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var message: String
        var kind: ModelError.Kind
        var change: @Sendable (inout GGUFWriter) -> Void
        var testDescription: String { message }
        init(_ message: String, _ kind: ModelError.Kind, _ change: @escaping @Sendable (inout GGUFWriter) -> Void) {
            self.message = message
            self.kind = kind
            self.change = change
        }
    }

    static let keyRefusals = [
        Refusal("architecture \"mamba\" is not supported; supported: llama", .unsupported) {
            $0.set("general.architecture", .string("mamba"))
        },
        Refusal("no metadata key general.architecture", .missing) { $0.set("general.architecture", nil) },
        Refusal("no metadata key llama.block_count", .missing) { $0.set("llama.block_count", nil) },
        Refusal("llama.block_count is 0; it must be from 1 to", .malformed) { $0.set("llama.block_count", .u32(0)) },
        Refusal("llama.block_count is a string; it must be an integer", .malformed) {
            $0.set("llama.block_count", .string("2"))
        },
        Refusal("llama.embedding_length is 4294967295; it must be", .malformed) {
            $0.set("llama.embedding_length", .u32(.max))
        },
        Refusal("4 heads cannot share 3 KV heads evenly", .malformed) {
            $0.set("llama.attention.head_count_kv", .u32(3))
        },
        Refusal("llama.attention.head_count_kv is 0", .malformed) { $0.set("llama.attention.head_count_kv", .u32(0)) },
        Refusal("llama.attention.head_count_kv differs from layer to layer", .unsupported) {
            $0.set("llama.attention.head_count_kv", .int32s([2, 2]))
        },
        Refusal("hidden size 64 does not divide into 5 heads", .malformed) {
            $0.set("llama.attention.head_count", .u32(5))
            $0.set("llama.attention.head_count_kv", .u32(5))
        },
        Refusal("keys of 16 and values of 32 elements", .unsupported) {
            $0.set("llama.attention.value_length", .u32(32))
        },
        Refusal("llama.attention.layer_norm_rms_epsilon is nan", .malformed) {
            $0.set("llama.attention.layer_norm_rms_epsilon", .f32(.nan))
        },
        Refusal("llama.rope.freq_base is 0.0; it must be", .malformed) { $0.set("llama.rope.freq_base", .f32(0)) },
        Refusal("7 rotated dimensions in heads of 16", .malformed) { $0.set("llama.rope.dimension_count", .u32(7)) },
        Refusal("18 rotated dimensions in heads of 16", .malformed) { $0.set("llama.rope.dimension_count", .u32(18)) },
        Refusal("rope.scaling.type \"yarn\" is not supported; supported: none, linear", .unsupported) {
            $0.set("llama.rope.scaling.type", .string("yarn"))
        },
        Refusal("a mixture of 8 experts", .unsupported) { $0.set("llama.expert_count", .u32(8)) },
        Refusal("vocab_size is 9, but tensor token_embd.weight has", .malformed) {
            $0.set("llama.vocab_size", .u32(9))
        },
    ]

    static let tensorRefusals = [
        Refusal("no tensor blk.1.ffn_up.weight", .missing) { $0.remove(tensor: "blk.1.ffn_up.weight") },
        Refusal("no tensor token_embd.weight", .missing) { $0.remove(tensor: "token_embd.weight") },
        Refusal("tensor blk.0.attn_norm.weight has 1 rows of 32; the metadata asks for 1 of 64", .malformed) {
            $0.tensors[1] = GGUFWriter.Tensor("blk.0.attn_norm.weight", .f32, columns: 32)
        },
        Refusal("tensor blk.0.attn_q.weight has 32 rows of 64; the metadata asks for 64 of 64", .malformed) {
            $0.tensors[2] = GGUFWriter.Tensor("blk.0.attn_q.weight", .f32, columns: 64, rows: 32)
        },
        Refusal("norms and biases must be F32, F16 or BF16", .unsupported) {
            $0.tensors[1] = GGUFWriter.Tensor("blk.0.attn_norm.weight", .q8_0, columns: 64)
        },
        Refusal("blk.0.attn_qkv.weight fuses query, key and value", .unsupported) {
            $0.remove(tensor: "blk.0.attn_q.weight")
            $0.tensors.append(GGUFWriter.Tensor("blk.0.attn_qkv.weight", .f32, columns: 64, rows: 128))
        },
        Refusal("tensor \"blk.2.attn_norm.weight\" is not part of architecture llama", .unsupported) {
            $0.tensors.append(GGUFWriter.Tensor("blk.2.attn_norm.weight", .f32, columns: 64))
        },
        Refusal("rope_freqs.weight is F32 of 1 x 4; 8 F32 factors are needed", .malformed) {
            $0.tensors.append(GGUFWriter.Tensor("rope_freqs.weight", .f32, columns: 4))
        },
        Refusal("rope_freqs.weight has a factor that is not a positive number", .malformed) {
            $0.tensors.append(GGUFWriter.Tensor("rope_freqs.weight", .f32, columns: 8))
        },
        Refusal("tokens, but tensor token_embd.weight has 10 rows", .malformed) {
            $0.set("llama.vocab_size", nil)
            $0.tensors[0] = GGUFWriter.Tensor("token_embd.weight", .q8_0, columns: 64, rows: 10)
        },
    ]

    @Test(arguments: keyRefusals + tensorRefusals)
    func isRefused(refusal: Refusal) throws {
        var writer = TinyModel.writer()
        refusal.change(&writer)
        let file = try ModelFile(writer)
        let error = #expect(throws: ModelError.self) { _ = try ModelDescription(file) }
        #expect(error?.kind == refusal.kind)
        #expect(error?.message.hasPrefix("test.gguf: ") == true)
        #expect(error?.message.contains(refusal.message) == true, "\(error?.message ?? "no error")")
    }
}
