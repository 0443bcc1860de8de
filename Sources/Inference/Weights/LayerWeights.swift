import Tensors

/// The weights of one transformer layer. Matrices are (outputs, inputs).
struct LayerWeights: Sendable {
    /// (hiddenSize)
    let attentionNorm: WeightVector
    /// (headCount * headSize, hiddenSize)
    let query: PackedMatrix
    /// (kvHeadCount * headSize, hiddenSize)
    let key: PackedMatrix
    /// (kvHeadCount * headSize, hiddenSize)
    let value: PackedMatrix
    let queryBias: WeightVector?
    let keyBias: WeightVector?
    let valueBias: WeightVector?
    /// (hiddenSize, headCount * headSize)
    let attentionOutput: PackedMatrix
    let attentionOutputBias: WeightVector?
    /// (hiddenSize)
    let feedForwardNorm: WeightVector
    /// (feedForwardSize, hiddenSize)
    let gate: PackedMatrix
    /// (feedForwardSize, hiddenSize)
    let up: PackedMatrix
    /// (hiddenSize, feedForwardSize)
    let down: PackedMatrix

    var byteCount: Int {
        let matrices = [query, key, value, attentionOutput, gate, up, down]
        let vectors = [
            attentionNorm, feedForwardNorm, queryBias, keyBias, valueBias, attentionOutputBias,
        ].compactMap { $0 }
        return matrices.reduce(0) { $0 + $1.byteCount } + vectors.reduce(0) { $0 + $1.byteCount }
    }
}
