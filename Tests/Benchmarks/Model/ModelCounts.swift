package import Models
import Tensors

/// What a model's work amounts to, counted from its file.
package struct ModelCounts {
    /// Bytes in the file of the tensors that every token reads: all but the embedding, which a token reads a row of;
    /// where the embedding is the head too, it is read whole and counted once.
    package let tokenByteCount: Int
    /// Bytes of keys and values of a position, over all layers.
    package let positionByteCount: Int
    /// Whether most multiply-adds are with quantised weights.
    package let isQuantised: Bool

    /// Multiply-adds of a row: in all layers but the last; in the last, up to keys and values, and from there on;
    /// and in the head. Attention's own are left out.
    private let bodyMultiplyAdds: Int
    private let lastInputMultiplyAdds: Int
    private let lastOutputMultiplyAdds: Int
    private let headMultiplyAdds: Int

    package init(file: ModelFile, description: ModelDescription) {
        let embedding = description.hasTiedEmbedding ? nil : TensorNames.tokenEmbedding
        tokenByteCount = file.tensors.filter { $0.name != embedding }.reduce(0) { $0 + $1.byteCount }
        positionByteCount =
            2 * description.kvHeadCount * description.headSize * MemoryLayout<UInt16>.size * description.layerCount
        let hidden = description.hiddenSize
        let (queries, keys) = (
            description.headCount * description.headSize, description.kvHeadCount * description.headSize
        )
        lastInputMultiplyAdds = hidden * (queries + 2 * keys)
        lastOutputMultiplyAdds = queries * hidden + 3 * hidden * description.feedForwardSize
        bodyMultiplyAdds = (description.layerCount - 1) * (lastInputMultiplyAdds + lastOutputMultiplyAdds)
        headMultiplyAdds = hidden * description.vocabularySize
        let matrices = file.tensors.filter { $0.rows > 1 && $0.name != embedding }
        let all = matrices.reduce(0) { $0 + $1.rows * $1.columns }
        let quantised = matrices.filter(\.format.isQuantised).reduce(0) { $0 + $1.rows * $1.columns }
        isQuantised = 2 * quantised >= all
    }

    var arithmetic: MachineLoops.Arithmetic { isQuantised ? .dot : .float }

    /// Of a step of `rowCount` rows, of which `headRowCount` give logits: the rest ends with the last layer's keys and
    /// values.
    package func multiplyAdds(rowCount: Int, headRowCount: Int) -> Int {
        rowCount * (bodyMultiplyAdds + lastInputMultiplyAdds)
            + headRowCount * (lastOutputMultiplyAdds + headMultiplyAdds)
    }
}
