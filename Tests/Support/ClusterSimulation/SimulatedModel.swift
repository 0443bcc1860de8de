package import Vocabulary

/// A model whose arithmetic is hashing: a layer's output for a row is a hash, in order, of what the layer holds of all
/// rows up to it. A lost, doubled, reordered or overwritten row changes every later token.
package struct SimulatedModel: TokenText {
    package let profile: ModelProfile

    package init(name: String, layerCount: Int, contextLength: Int) {
        profile = ModelProfile(
            name: name, fingerprint: "fingerprint of \(name)", layerCount: layerCount, hiddenSize: 1,
            vocabularySize: 97, contextLength: contextLength, embeddingBytes: 700,
            layerBytes: Array(repeating: 1000, count: layerCount), headBytes: 600, kvBytesPerPositionPerLayer: 4,
            endTokens: [0])
    }

    /// Letters, and halves of a two-byte character that come together only by chance.
    package func bytes(of token: TokenID) -> [UInt8] {
        switch token {
        case 0: []
        case 1...8: [0xC3]
        case 9...16: [0xA9]
        default: [UInt8(ascii: "a") + UInt8(token % 5)]
        }
    }

    // MARK: Arithmetic

    static func embed(_ token: TokenID, position: Int) -> UInt64 {
        SeededRandom.mix(UInt64(UInt32(bitPattern: token)) &* 0x1F3D_5B79 &+ UInt64(position))
    }

    /// One more row in the hash of those before.
    @inline(__always)
    static func fold(_ hash: UInt64, _ row: UInt64) -> UInt64 {
        (hash ^ row) &* 0x0000_0100_0000_01B3 &+ (hash >> 29)
    }

    static func score(_ hidden: UInt64, token: TokenID, position: Int, _ sampling: SamplingParameters) -> TokenScore {
        let hash = SeededRandom.mix(hidden &+ UInt64(UInt32(bitPattern: token)))
        return TokenScore(
            token: token, position: position, logprob: sampling.topLogprobCount == nil ? 0 : -Float(hash % 4096) / 64)
    }

    /// - Parameter tokens: those that penalties look at.
    func sample(
        _ hidden: UInt64, position: Int, tokens: some Collection<TokenID>, promptTokenCount: Int,
        suppressesEnd: Bool, _ sampling: SamplingParameters
    ) -> TokenScore {
        var hash = hidden ^ sampling.seed &* 31 ^ UInt64(sampling.choice) << 40 ^ UInt64(position)
        if sampling.usesPenalties {
            hash ^= UInt64(promptTokenCount)
            for token in tokens { hash = Self.fold(hash, UInt64(UInt32(bitPattern: token))) }
        }
        var token = TokenID(SeededRandom.mix(hash) % UInt64(profile.vocabularySize))
        if suppressesEnd, token == 0 { token = 1 }
        return Self.score(hidden, token: token, position: position, sampling)
    }
}
