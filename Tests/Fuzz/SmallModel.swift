import Tensors

/// Whole GGUF files of some tens of kilobytes: a llama model with a byte-level tokenizer, each variant with other features.
enum SmallModel {
    static func variants() -> [[UInt8]] {
        [
            model(pre: "smollm", layerCount: 2, template: chatML),
            model(pre: "llama-bpe", layerCount: 1, template: llama3),
            model(pre: "gpt-2", layerCount: 1, template: nil),
        ]
    }

    private static let chatML =
        "{% if true %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}{{ '<|im_start|>' }}"
    private static let llama3 = "{{ '<|start_header_id|>' + role + '<|end_header_id|>' + content + '<|eot_id|>' }}"

    private static func model(pre: String, layerCount: Int, template: String?) -> [UInt8] {
        var metadata = MetadataBytes()
        metadata.add("general.architecture", "llama")
        metadata.add("general.alignment", 32)
        metadata.add("llama.block_count", UInt32(layerCount))
        metadata.add("llama.context_length", 256)
        metadata.add("llama.embedding_length", 32)
        metadata.add("llama.feed_forward_length", 256)
        metadata.add("llama.attention.head_count", 4)
        metadata.add("llama.attention.head_count_kv", 2)
        metadata.add("llama.attention.layer_norm_rms_epsilon", float: 1e-5)
        metadata.add("llama.rope.freq_base", float: 10_000)
        metadata.add("llama.rope.scaling.type", "linear")
        metadata.add("llama.rope.scaling.factor", float: 2)
        metadata.add("tokenizer.ggml.model", "gpt2")
        metadata.add("tokenizer.ggml.pre", pre)
        let controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>"]
        let bytes = (UInt32(33)...126).compactMap { Unicode.Scalar($0).map { String(Character($0)) } }
        let merges = ["H e", "l l", "He ll", "Hell o", "Ġ w", "1 2"]
        let tokens = controls + bytes + ["Ġ", "Ċ"] + merges.map { $0.split(separator: " ").joined() } + ["[x]"]
        metadata.add("tokenizer.ggml.tokens", tokens)
        metadata.add(
            "tokenizer.ggml.token_type",
            tokens.indices.map { $0 < controls.count ? 3 : $0 == tokens.count - 1 ? 4 : 1 })
        metadata.add("tokenizer.ggml.merges", merges)
        metadata.add("tokenizer.ggml.bos_token_id", 1)
        metadata.add("tokenizer.ggml.eos_token_id", 2)
        metadata.add("tokenizer.ggml.add_bos_token", true)
        metadata.addNestedArray("some.nested.array")
        if let template { metadata.add("tokenizer.chat_template", template) }

        var tensors = TensorBytes()
        tensors.add("token_embd.weight", .q8_0, [32, tokens.count])
        for layer in 0..<layerCount {
            let shapes: [(String, TensorFormat, [Int])] = [
                ("attn_norm", .f32, [32]), ("attn_q", .q5_0, [32, 32]), ("attn_k", .q4_1, [32, 16]),
                ("attn_v", .f16, [32, 16]), ("attn_output", .bf16, [32, 32]), ("ffn_norm", .f32, [32]),
                ("ffn_gate", .q4_0, [32, 256]), ("ffn_up", .iq4_nl, [32, 256]), ("ffn_down", .q4_k, [256, 32]),
            ]
            for (name, format, dimensions) in shapes {
                tensors.add("blk.\(layer).\(name).weight", format, dimensions)
            }
        }
        tensors.add("output_norm.weight", .f32, [32])
        tensors.add("rope_freqs.weight", .f32, [4], filler: 0x3F)
        return file(metadata, tensors)
    }

    private static func file(_ metadata: MetadataBytes, _ tensors: TensorBytes) -> [UInt8] {
        var out = MetadataBytes()
        out.bytes = Array("GGUF".utf8)
        out.append(UInt32(3))
        out.append(UInt64(tensors.count))
        out.append(UInt64(metadata.count))
        out.bytes += metadata.bytes + tensors.infos.bytes
        while out.bytes.count % 32 != 0 { out.bytes.append(0) }
        return out.bytes + tensors.data
    }
}

/// Metadata keys and values as they stand in a file.
struct MetadataBytes {
    var bytes: [UInt8] = []
    private(set) var count = 0

    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ string: String) {
        append(UInt64(string.utf8.count))
        bytes.append(contentsOf: string.utf8)
    }

    private mutating func begin(_ key: String, type: UInt32) {
        append(key)
        append(type)
        count += 1
    }

    mutating func add(_ key: String, _ value: UInt32) {
        begin(key, type: 4)
        append(value)
    }

    mutating func add(_ key: String, float value: Float) {
        begin(key, type: 6)
        append(value.bitPattern)
    }

    mutating func add(_ key: String, _ value: Bool) {
        begin(key, type: 7)
        append(UInt8(value ? 1 : 0))
    }

    mutating func add(_ key: String, _ value: String) {
        begin(key, type: 8)
        append(value)
    }

    mutating func add(_ key: String, _ values: [String]) {
        begin(key, type: 9)
        append(UInt32(8))
        append(UInt64(values.count))
        for value in values { append(value) }
    }

    mutating func add(_ key: String, _ values: [Int32]) {
        begin(key, type: 9)
        append(UInt32(5))
        append(UInt64(values.count))
        for value in values { append(value) }
    }

    /// Two arrays in an array: one of two u16, one of one f64.
    mutating func addNestedArray(_ key: String) {
        begin(key, type: 9)
        append(UInt32(9))
        append(UInt64(2))
        append(UInt32(2))
        append(UInt64(2))
        append(UInt32(0x0002_0001))
        append(UInt32(12))
        append(UInt64(1))
        append(Double.pi.bitPattern)
    }
}

/// Tensor descriptions and data as they stand in a file.
struct TensorBytes {
    private(set) var infos = MetadataBytes()
    private(set) var data: [UInt8] = []
    private(set) var count = 0

    mutating func add(_ name: String, _ format: TensorFormat, _ dimensions: [Int], filler: UInt8 = 0x11) {
        infos.append(name)
        infos.append(UInt32(dimensions.count))
        for dimension in dimensions { infos.append(UInt64(dimension)) }
        infos.append(format.rawValue)
        infos.append(UInt64(data.count))
        let rows = dimensions.dropFirst().reduce(1, *)
        let byteCount = format.byteCount(rows: rows, columns: dimensions[0]) ?? 0
        data += repeatElement(filler, count: (byteCount + 31) / 32 * 32)
        count += 1
    }
}
