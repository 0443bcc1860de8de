import Models
import Tensors
import Vocabulary

/// A llama model of two layers with a byte-level tokenizer: small enough to write in every test.
enum TinyModel {
    static let hiddenSize = 64
    static let feedForwardSize = 96
    static let headCount = 4
    static let kvHeadCount = 2
    static let headSize = 16
    static let layerCount = 2

    /// Control tokens, then the 256 bytes, then what the merges make, then one user-defined token.
    static let controlTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|im|>", "<|im|><|im|>"]
    static let merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "a a", "aa aa", "Ġ Ġ", "Ġw o"]
    static let userDefinedToken = "[[tool]]"
    static let chatMLTemplate = """
        {% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}\
        {{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """

    static let tokens: [String] =
        controlTokens + (0...255).map(alphabetCharacter)
        + merges.map { $0.split(separator: " ").joined() } + [userDefinedToken]

    static func token(ofByte byte: UInt8) -> TokenID { TokenID(controlTokens.count) + TokenID(byte) }
    static func token(ofMerge index: Int) -> TokenID { TokenID(controlTokens.count + 256 + index) }
    static var userDefined: TokenID { TokenID(tokens.count - 1) }

    /// The character that stands for a byte in vocabularies.
    static func alphabetCharacter(_ byte: UInt8) -> String {
        func isVisible(_ byte: UInt8) -> Bool {
            (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
        }
        let hiddenBefore = (0..<Int(byte)).filter { !isVisible(UInt8($0)) }.count
        let value = isVisible(byte) ? UInt32(byte) : UInt32(256 + hiddenBefore)
        return Unicode.Scalar(value).map { String(Character($0)) } ?? ""
    }

    static func writer(pre: String = "gpt-2", tied: Bool = true) -> GGUFWriter {
        var writer = GGUFWriter()
        writer.metadata = [
            ("general.architecture", .string("llama")),
            ("general.name", .string("Tiny")),
            ("llama.block_count", .u32(UInt32(layerCount))),
            ("llama.context_length", .u32(128)),
            ("llama.embedding_length", .u32(UInt32(hiddenSize))),
            ("llama.feed_forward_length", .u32(UInt32(feedForwardSize))),
            ("llama.attention.head_count", .u32(UInt32(headCount))),
            ("llama.attention.head_count_kv", .u32(UInt32(kvHeadCount))),
            ("llama.attention.layer_norm_rms_epsilon", .f32(1e-5)),
            ("llama.rope.freq_base", .f32(100_000)),
            ("llama.vocab_size", .u32(UInt32(tokens.count))),
        ]
        let types = tokens.indices.map { index -> Int32 in
            index < controlTokens.count ? 3 : index == tokens.count - 1 ? 4 : 1
        }
        writer.metadata += [
            ("tokenizer.ggml.model", .string("gpt2")),
            ("tokenizer.ggml.pre", .string(pre)),
            ("tokenizer.ggml.tokens", .strings(tokens)),
            ("tokenizer.ggml.token_type", .int32s(types)),
            ("tokenizer.ggml.merges", .strings(merges)),
            ("tokenizer.ggml.bos_token_id", .u32(1)),
            ("tokenizer.ggml.eos_token_id", .u32(2)),
            ("tokenizer.ggml.add_bos_token", .bool(false)),
            ("tokenizer.chat_template", .string(chatMLTemplate)),
        ]
        writer.tensors = tensors(tied: tied)
        return writer
    }

    private static func tensors(tied: Bool) -> [GGUFWriter.Tensor] {
        let queryCount = headCount * headSize
        let keyCount = kvHeadCount * headSize
        var tensors = [GGUFWriter.Tensor("token_embd.weight", .q8_0, columns: hiddenSize, rows: tokens.count)]
        for layer in 0..<layerCount {
            let shapes: [(String, TensorFormat, Int, Int?)] = [
                ("attn_norm", .f32, hiddenSize, nil), ("attn_q", .q4_1, hiddenSize, queryCount),
                ("attn_k", .q4_0, hiddenSize, keyCount), ("attn_v", .f16, hiddenSize, keyCount),
                ("attn_output", .bf16, queryCount, hiddenSize), ("ffn_norm", .f32, hiddenSize, nil),
                ("ffn_gate", .f32, hiddenSize, feedForwardSize), ("ffn_up", .q4_0, hiddenSize, feedForwardSize),
                ("ffn_down", .q8_0, feedForwardSize, hiddenSize),
            ]
            for (name, format, columns, rows) in shapes {
                tensors.append(
                    GGUFWriter.Tensor("blk.\(layer).\(name).weight", format, columns: columns, rows: rows))
            }
        }
        tensors.append(GGUFWriter.Tensor("output_norm.weight", .f32, columns: hiddenSize))
        if !tied { tensors.append(GGUFWriter.Tensor("output.weight", .f16, columns: hiddenSize, rows: tokens.count)) }
        return tensors
    }
}

extension ModelFile {
    /// Opens bytes as if they were a file called "test.gguf".
    convenience init(bytes: [UInt8]) throws(ModelError) {
        try self.init(bytes.withUnsafeBytes { FileBytes(copying: $0) }, path: "test.gguf")
    }

    convenience init(_ writer: GGUFWriter) throws(ModelError) { try self.init(bytes: writer.bytes()) }
}
