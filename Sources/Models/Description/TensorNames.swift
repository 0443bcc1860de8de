/// What GGUF calls the tensors of the llama family.
public enum TensorNames {
    public static let tokenEmbedding = "token_embd.weight"
    public static let outputNorm = "output_norm.weight"
    /// Absent when the head is the embedding (tied).
    public static let output = "output.weight"
    /// One factor for each rotated pair; optional.
    public static let rotaryFactors = "rope_freqs.weight"

    public static func layer(_ index: Int) -> Layer { Layer(index: index) }

    /// The tensors of one layer. Matrices are [rows = outputs][columns = inputs].
    public struct Layer: Sendable, Hashable {
        public let index: Int

        private func name(_ suffix: String) -> String { "blk.\(index).\(suffix)" }

        /// (hiddenSize)
        public var attentionNorm: String { name("attn_norm.weight") }
        /// (headCount * headSize, hiddenSize)
        public var query: String { name("attn_q.weight") }
        /// (kvHeadCount * headSize, hiddenSize)
        public var key: String { name("attn_k.weight") }
        /// (kvHeadCount * headSize, hiddenSize)
        public var value: String { name("attn_v.weight") }
        /// (hiddenSize, headCount * headSize)
        public var attentionOutput: String { name("attn_output.weight") }
        /// (hiddenSize)
        public var feedForwardNorm: String { name("ffn_norm.weight") }
        /// (feedForwardSize, hiddenSize)
        public var gate: String { name("ffn_gate.weight") }
        /// (feedForwardSize, hiddenSize)
        public var up: String { name("ffn_up.weight") }
        /// (hiddenSize, feedForwardSize)
        public var down: String { name("ffn_down.weight") }

        /// Optional: (headCount * headSize)
        public var queryBias: String { name("attn_q.bias") }
        /// Optional: (kvHeadCount * headSize)
        public var keyBias: String { name("attn_k.bias") }
        /// Optional: (kvHeadCount * headSize)
        public var valueBias: String { name("attn_v.bias") }
        /// Optional: (hiddenSize)
        public var attentionOutputBias: String { name("attn_output.bias") }

        /// Query, key and value fused by rows; refused.
        var fusedQueryKeyValue: String { name("attn_qkv.weight") }
    }
}
