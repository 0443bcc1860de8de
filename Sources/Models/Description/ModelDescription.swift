public import Vocabulary

/// What a model is: its sizes and constants, read from a file and checked against its tensors.
public struct ModelDescription: Sendable, Hashable {
    /// How the dimensions of a head form the pairs that rotary embedding turns.
    public enum RotaryPairing: Sendable, Hashable {
        /// Pairs (0, 1), (2, 3), ...
        case interleaved
        /// Pairs (0, d/2), (1, d/2 + 1), ...
        case halves
    }

    /// The file's `general.name`, or its file name.
    public let name: String
    public let architecture: String
    public let layerCount: Int
    public let hiddenSize: Int
    public let feedForwardSize: Int
    public let headCount: Int
    /// Divides `headCount`.
    public let kvHeadCount: Int
    public let headSize: Int
    /// The first dimensions of a head, even in number, that are rotated.
    public let rotaryDimension: Int
    public let rotaryBase: Double
    public let rotaryPairing: RotaryPairing
    /// Divisors of the angles, one for each pair: pair i at position p turns by
    /// p * rotaryBase^(-2i / rotaryDimension) / factor[i]. Linear position scaling is folded in. Nil: all are 1.
    public let rotaryFrequencyFactors: [Float]?
    public let normEpsilon: Float
    public let contextLength: Int
    public let vocabularySize: Int
    /// The head is the embedding's matrix.
    public let hasTiedEmbedding: Bool

    let fingerprint: String
    let unitBytes: UnitBytes
    let endTokens: [TokenID]

    /// Tensor bytes of each unit of the model, as they lie in the file.
    struct UnitBytes: Sendable, Hashable {
        var embedding: UInt64
        var layers: [UInt64]
        var head: UInt64
    }

    public static let supportedArchitectures = ["llama"]

    /// - Throws: `ModelError` when the architecture is unknown, a key is missing or out of range, or a tensor is
    ///   missing, has the wrong shape, or is one the architecture does not know.
    public init(_ file: ModelFile) throws(ModelError) {
        do throws(ModelError) { try self.init(reading: file) } catch { throw error.naming(file.path) }
    }

    private init(reading file: ModelFile) throws(ModelError) {
        let general = MetadataReader(file.metadata)
        architecture = try general.string("general.architecture")
        guard Self.supportedArchitectures.contains(architecture) else {
            throw ModelError(
                .unsupported,
                "architecture \(ModelError.quote(architecture)) is not supported; supported: "
                    + Self.supportedArchitectures.joined(separator: ", "))
        }
        let keys = MetadataReader(file.metadata, prefix: architecture + ".")
        try Self.refuseExperts(keys)
        name = try general.stringIfPresent("general.name") ?? Self.fileName(file.path)
        layerCount = try keys.integer("block_count", in: 1...1024)
        hiddenSize = try keys.integer("embedding_length", in: 1...(1 << 17))
        feedForwardSize = try keys.integer("feed_forward_length", in: 1...(1 << 20))
        contextLength = try keys.integer("context_length", in: 1...(1 << 24))
        normEpsilon = Float(try keys.number("attention.layer_norm_rms_epsilon", in: 1e-12...0.1))

        let heads = try HeadShape(keys, hiddenSize: hiddenSize)
        (headCount, kvHeadCount, headSize) = (heads.headCount, heads.kvHeadCount, heads.headSize)

        rotaryPairing = .interleaved
        let rotary = try RotaryShape(keys, file: file, headSize: heads.headSize)
        (rotaryDimension, rotaryBase, rotaryFrequencyFactors) = (rotary.dimension, rotary.base, rotary.factors)

        let check = TensorCheck(
            file: file, layerCount: layerCount, hiddenSize: hiddenSize, feedForwardSize: feedForwardSize, heads: heads,
            rotaryDimension: rotary.dimension)
        vocabularySize = try check.vocabularySize(keys)
        hasTiedEmbedding = file.tensor(TensorNames.output) == nil
        unitBytes = try check.unitBytes(vocabularySize: vocabularySize)
        fingerprint = file.fingerprint
        endTokens = try SpecialTokens(file.metadata).endTokens
    }

    /// What planning must know. Weight bytes are those of the file's tensors; a tied embedding counts as embedding
    /// and as head, for both units read it and may lie on different nodes.
    public func profile(servedName: String) -> ModelProfile {
        var profile = ModelProfile(
            name: servedName, fingerprint: fingerprint, layerCount: layerCount, hiddenSize: hiddenSize,
            vocabularySize: vocabularySize, contextLength: contextLength, embeddingBytes: unitBytes.embedding,
            layerBytes: unitBytes.layers, headBytes: unitBytes.head,
            kvBytesPerPositionPerLayer: 2 * kvHeadCount * headSize * MemoryLayout<UInt16>.size, endTokens: endTokens)
        let attentionColumns = 2 * headCount * headSize + 2 * kvHeadCount * headSize
        let layer = UInt64(hiddenSize) * UInt64(attentionColumns + 3 * feedForwardSize)
        profile.layerMultiplyAdds = Array(repeating: layer, count: layerCount)
        profile.headMultiplyAdds = UInt64(hiddenSize) * UInt64(vocabularySize)
        return profile
    }

    private static func refuseExperts(_ keys: MetadataReader) throws(ModelError) {
        guard let count = try keys.integerIfPresent("expert_count", in: 0...65_536), count > 0 else { return }
        throw ModelError(.unsupported, "a mixture of \(count) experts, which is not supported")
    }

    /// "dir/Some-Model.gguf" gives "Some-Model".
    private static func fileName(_ path: String) -> String {
        let last = path.split(separator: "/").last.map(String.init) ?? path
        return last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
    }
}
