/// What planning and admission must know of a model, without its weights.
public struct ModelProfile: Hashable, Sendable {
    /// The name under which it is served.
    public var name: String
    public var fingerprint: String
    public var layerCount: Int
    public var hiddenSize: Int
    public var vocabularySize: Int
    public var contextLength: Int
    /// Packed weight bytes of each unit. Their ratio is also the ratio of the units' time for a single row.
    public var embeddingBytes: UInt64
    public var layerBytes: [UInt64]
    public var headBytes: UInt64
    /// Multiply-adds of one row in the matrices of each unit; empty and 0 where nobody told.
    public var layerMultiplyAdds: [UInt64] = []
    public var headMultiplyAdds: UInt64 = 0
    /// KV bytes of one position in one layer.
    public var kvBytesPerPositionPerLayer: Int
    /// Generation stops at these.
    public var endTokens: [TokenID]

    public init(
        name: String, fingerprint: String, layerCount: Int, hiddenSize: Int, vocabularySize: Int, contextLength: Int,
        embeddingBytes: UInt64, layerBytes: [UInt64], headBytes: UInt64, kvBytesPerPositionPerLayer: Int,
        endTokens: [TokenID]
    ) {
        self.name = name
        self.fingerprint = fingerprint
        self.layerCount = layerCount
        self.hiddenSize = hiddenSize
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.embeddingBytes = embeddingBytes
        self.layerBytes = layerBytes
        self.headBytes = headBytes
        self.kvBytesPerPositionPerLayer = kvBytesPerPositionPerLayer
        self.endTokens = endTokens
    }
}

/// The bytes behind a model's tokens: what the coordinator matches stop strings in and streams as text.
public protocol TokenText: Sendable {
    /// The bytes that `token` adds to a text; empty for control tokens and for ids outside the vocabulary.
    func bytes(of token: TokenID) -> [UInt8]
}
