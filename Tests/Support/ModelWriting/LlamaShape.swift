/// The sizes of a model of the llama architecture.
package struct LlamaShape: Sendable, Hashable {
    package var layerCount: Int
    package var hiddenSize: Int
    package var feedForwardSize: Int
    package var headCount: Int
    package var kvHeadCount: Int
    package var headSize: Int
    package var vocabularySize: Int
    package var contextLength: Int

    package init(
        layerCount: Int, hiddenSize: Int, feedForwardSize: Int, headCount: Int, kvHeadCount: Int, headSize: Int,
        vocabularySize: Int, contextLength: Int
    ) {
        self.layerCount = layerCount
        self.hiddenSize = hiddenSize
        self.feedForwardSize = feedForwardSize
        self.headCount = headCount
        self.kvHeadCount = kvHeadCount
        self.headSize = headSize
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
    }

    /// The metadata keys that say so.
    package func keys(name: String) -> [(name: String, value: GGUFValue)] {
        func number(_ value: Int) -> GGUFValue { .unsigned(UInt32(value)) }
        return [
            ("general.architecture", .string("llama")),
            ("general.name", .string(name)),
            ("llama.block_count", number(layerCount)),
            ("llama.context_length", number(contextLength)),
            ("llama.embedding_length", number(hiddenSize)),
            ("llama.feed_forward_length", number(feedForwardSize)),
            ("llama.attention.head_count", number(headCount)),
            ("llama.attention.head_count_kv", number(kvHeadCount)),
            ("llama.attention.key_length", number(headSize)),
            ("llama.attention.value_length", number(headSize)),
            ("llama.attention.layer_norm_rms_epsilon", .float(1e-5)),
            ("llama.rope.dimension_count", number(headSize)),
            ("llama.rope.freq_base", .float(500_000)),
            ("llama.vocab_size", number(vocabularySize)),
        ]
    }
}
