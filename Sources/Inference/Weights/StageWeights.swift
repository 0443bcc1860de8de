public import Memory
public import Models
public import Tensors
public import Vocabulary

/// The packed weights of a stage: a run of layers, and the embedding and the head where they ride on it. Immutable.
public final class StageWeights: Sendable {
    public let description: ModelDescription
    public let units: StageUnits
    public let placement: Placement
    /// Bytes as packed.
    public let byteCount: Int
    /// Of those, what came packed out of a cache.
    public let cachedByteCount: Int

    /// In order, of layer `units.layers.lowerBound` on.
    let layers: [LayerWeights]
    /// (vocabularySize, hiddenSize), with the embedding.
    let embedding: PackedMatrix?
    /// (hiddenSize), with the head.
    let headNorm: WeightVector?
    /// (vocabularySize, hiddenSize), with the head. The same object as `embedding` when tied and both are here.
    let head: PackedMatrix?

    private init(
        description: ModelDescription, units: StageUnits, placement: Placement, layers: [LayerWeights],
        embedding: PackedMatrix?, headNorm: WeightVector?, head: PackedMatrix?, cachedByteCount: Int
    ) {
        self.description = description
        self.units = units
        self.placement = placement
        self.layers = layers
        self.embedding = embedding
        self.headNorm = headNorm
        self.head = head
        self.cachedByteCount = cachedByteCount
        var byteCount = layers.reduce(0) { $0 + $1.byteCount }
        byteCount += (embedding?.byteCount ?? 0) + (headNorm?.byteCount ?? 0)
        if let head, head !== embedding { byteCount += head.byteCount }
        self.byteCount = byteCount
    }

    /// Reads the stage's tensors out of the cache, or reads and packs them, over all threads of `context`.
    ///
    /// - Parameters:
    ///   - file: the file that `description` was read from.
    ///   - cache: where packed tensors are looked for; those that are not there are left to its `writePending`.
    ///   - progress: called after each tensor, and in between for large ones, with the bytes of the file that are done
    ///     and that there are.
    /// - Throws: `InferenceError` when the layers are not the model's, or when a tensor is missing, of another shape,
    ///   damaged, or too large for the memory; the message names the tensor.
    public static func load(
        file: ModelFile, description: ModelDescription, units: StageUnits, context: ComputeContext,
        placement: Placement = .anywhere, cache: WeightCache? = nil,
        progress: @escaping (_ doneByteCount: Int, _ totalByteCount: Int) -> Void = { _, _ in }
    ) throws(InferenceError) -> StageWeights {
        guard units.layers.lowerBound >= 0, units.layers.upperBound <= description.layerCount, !units.layers.isEmpty
        else {
            throw InferenceError(
                .invalidStage, "layers \(units.layers) are not layers of \(description.name), which has "
                    + "\(description.layerCount)")
        }
        // Stages must not share memory: each is freed alone.
        defer { context.finishPacking() }
        var loader = WeightLoader(
            file: file, context: context, placement: placement, cache: cache,
            totalByteCount: fileByteCount(file, description, units), progress: progress)
        let (hiddenSize, vocabularySize) = (description.hiddenSize, description.vocabularySize)
        var embedding: PackedMatrix?
        if units.hasEmbedding {
            embedding = try loader.matrix(TensorNames.tokenEmbedding, rows: vocabularySize, columns: hiddenSize)
        }
        var layers: [LayerWeights] = []
        for index in units.layers {
            layers.append(try layer(TensorNames.layer(index), description, &loader))
        }
        var headNorm: WeightVector?
        var head: PackedMatrix?
        if units.hasHead {
            headNorm = try loader.vector(TensorNames.outputNorm, count: hiddenSize)
            if description.hasTiedEmbedding, let embedding {
                head = embedding
            } else {
                head = try loader.matrix(
                    description.hasTiedEmbedding ? TensorNames.tokenEmbedding : TensorNames.output,
                    rows: vocabularySize, columns: hiddenSize)
            }
        }
        return StageWeights(
            description: description, units: units, placement: placement, layers: layers, embedding: embedding,
            headNorm: headNorm, head: head, cachedByteCount: loader.cachedByteCount)
    }

    private static func layer(
        _ names: TensorNames.Layer, _ description: ModelDescription, _ loader: inout WeightLoader
    ) throws(InferenceError) -> LayerWeights {
        let hiddenSize = description.hiddenSize
        let queryCount = description.headCount * description.headSize
        let keyCount = description.kvHeadCount * description.headSize
        return LayerWeights(
            attentionNorm: try loader.vector(names.attentionNorm, count: hiddenSize),
            query: try loader.matrix(names.query, rows: queryCount, columns: hiddenSize),
            key: try loader.matrix(names.key, rows: keyCount, columns: hiddenSize),
            value: try loader.matrix(names.value, rows: keyCount, columns: hiddenSize),
            queryBias: try loader.vectorIfPresent(names.queryBias, count: queryCount),
            keyBias: try loader.vectorIfPresent(names.keyBias, count: keyCount),
            valueBias: try loader.vectorIfPresent(names.valueBias, count: keyCount),
            attentionOutput: try loader.matrix(names.attentionOutput, rows: hiddenSize, columns: queryCount),
            attentionOutputBias: try loader.vectorIfPresent(names.attentionOutputBias, count: hiddenSize),
            feedForwardNorm: try loader.vector(names.feedForwardNorm, count: hiddenSize),
            gate: try loader.matrix(names.gate, rows: description.feedForwardSize, columns: hiddenSize),
            up: try loader.matrix(names.up, rows: description.feedForwardSize, columns: hiddenSize),
            down: try loader.matrix(names.down, rows: hiddenSize, columns: description.feedForwardSize))
    }

    /// Bytes of the file that loading reads.
    private static func fileByteCount(
        _ file: ModelFile, _ description: ModelDescription, _ units: StageUnits
    ) -> Int {
        var names: [String] = []
        for index in units.layers {
            let layer = TensorNames.layer(index)
            names += [
                layer.attentionNorm, layer.query, layer.key, layer.value, layer.queryBias, layer.keyBias,
                layer.valueBias, layer.attentionOutput, layer.attentionOutputBias, layer.feedForwardNorm, layer.gate,
                layer.up, layer.down,
            ]
        }
        if units.hasEmbedding || (units.hasHead && description.hasTiedEmbedding) {
            names.append(TensorNames.tokenEmbedding)
        }
        if units.hasHead {
            names.append(TensorNames.outputNorm)
            if !description.hasTiedEmbedding { names.append(TensorNames.output) }
        }
        return names.reduce(0) { $0 + (file.tensor($1)?.byteCount ?? 0) }
    }

    /// The formats of the matrices that `select` picks of each layer: they decide which forms activations need.
    func formats(_ select: (LayerWeights) -> [PackedMatrix]) -> [TensorFormat] {
        Array(Set(layers.flatMap(select).map(\.format)))
    }
}
