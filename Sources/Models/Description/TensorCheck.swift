import Tensors

/// Checks that a file has the tensors of the llama architecture, in the right shapes, and no others: a tensor that
/// nobody reads would mean a model that is not computed as it was made.
struct TensorCheck {
    let file: ModelFile
    let layerCount: Int
    let hiddenSize: Int
    let feedForwardSize: Int
    let heads: HeadShape
    let rotaryDimension: Int

    /// The embedding's rows, which the metadata must not contradict.
    func vocabularySize(_ keys: MetadataReader) throws(ModelError) -> Int {
        let embedding = try required(TensorNames.tokenEmbedding)
        let size = embedding.rows
        guard (1...(1 << 22)).contains(size) else {
            throw ModelError(.malformed, "tensor \(embedding.name) has \(size) rows; a vocabulary has 1 to \(1 << 22)")
        }
        if let stated = try keys.integerIfPresent("vocab_size", in: 1...(1 << 22)), stated != size {
            throw ModelError(
                .malformed, "vocab_size is \(stated), but tensor \(embedding.name) has \(size) rows")
        }
        if let tokenCount = file.metadata["tokenizer.ggml.tokens"]?.array?.count, tokenCount > size {
            throw ModelError(
                .malformed, "the tokenizer has \(tokenCount) tokens, but tensor \(embedding.name) has \(size) rows")
        }
        return size
    }

    /// Checks every tensor; gives the bytes of each unit.
    func unitBytes(vocabularySize: Int) throws(ModelError) -> ModelDescription.UnitBytes {
        var known: Set<String> = [TensorNames.rotaryFactors]
        let embedding = try matrix(TensorNames.tokenEmbedding, rows: vocabularySize, columns: hiddenSize, &known)
        var head = try vector(TensorNames.outputNorm, count: hiddenSize, &known)
        if file.tensor(TensorNames.output) != nil {
            head += try matrix(TensorNames.output, rows: vocabularySize, columns: hiddenSize, &known)
        } else {
            head += embedding
        }
        var layers: [UInt64] = []
        for index in 0..<layerCount { layers.append(try layerBytes(TensorNames.layer(index), &known)) }
        if let stranger = file.tensors.first(where: { !known.contains($0.name) }) {
            throw ModelError(
                .unsupported,
                "tensor \(ModelError.quote(stranger.name)) is not part of architecture llama as "
                    + "Shardline computes it (\(layerCount) layers)")
        }
        return ModelDescription.UnitBytes(embedding: embedding, layers: layers, head: head)
    }

    private func layerBytes(_ names: TensorNames.Layer, _ known: inout Set<String>) throws(ModelError) -> UInt64 {
        if file.tensor(names.fusedQueryKeyValue) != nil, file.tensor(names.query) == nil {
            throw ModelError(
                .unsupported,
                "tensor \(names.fusedQueryKeyValue) fuses query, key and value, which is not supported; "
                    + "convert the model with separate tensors")
        }
        let queryCount = heads.headCount * heads.headSize
        let keyCount = heads.kvHeadCount * heads.headSize
        var bytes = try vector(names.attentionNorm, count: hiddenSize, &known)
        bytes += try matrix(names.query, rows: queryCount, columns: hiddenSize, &known)
        bytes += try matrix(names.key, rows: keyCount, columns: hiddenSize, &known)
        bytes += try matrix(names.value, rows: keyCount, columns: hiddenSize, &known)
        bytes += try matrix(names.attentionOutput, rows: hiddenSize, columns: queryCount, &known)
        bytes += try vector(names.feedForwardNorm, count: hiddenSize, &known)
        bytes += try matrix(names.gate, rows: feedForwardSize, columns: hiddenSize, &known)
        bytes += try matrix(names.up, rows: feedForwardSize, columns: hiddenSize, &known)
        bytes += try matrix(names.down, rows: hiddenSize, columns: feedForwardSize, &known)
        let biases = [
            (names.queryBias, queryCount), (names.keyBias, keyCount), (names.valueBias, keyCount),
            (names.attentionOutputBias, hiddenSize),
        ]
        for (name, count) in biases where file.tensor(name) != nil {
            bytes += try vector(name, count: count, &known)
        }
        return bytes
    }

    private func required(_ name: String) throws(ModelError) -> TensorDescription {
        guard let tensor = file.tensor(name) else {
            throw ModelError(.missing, "the file has no tensor \(name), which the model needs; convert it again")
        }
        return tensor
    }

    private func matrix(
        _ name: String, rows: Int, columns: Int, _ known: inout Set<String>
    ) throws(ModelError) -> UInt64 {
        let tensor = try required(name)
        guard tensor.rows == rows, tensor.columns == columns else {
            throw ModelError(
                .malformed,
                "tensor \(name) has \(tensor.rows) rows of \(tensor.columns); the metadata asks for \(rows) "
                    + "of \(columns)")
        }
        known.insert(name)
        return UInt64(tensor.byteCount)
    }

    /// Norms and biases are single rows of a format that is not packed in blocks.
    private func vector(_ name: String, count: Int, _ known: inout Set<String>) throws(ModelError) -> UInt64 {
        let byteCount = try matrix(name, rows: 1, columns: count, &known)
        let format = try required(name).format
        guard format.blockElementCount == 1 else {
            throw ModelError(
                .unsupported, "tensor \(name) is \(format.name); norms and biases must be F32, F16 or BF16")
        }
        return byteCount
    }
}
