import Models
package import Tensors

/// A llama model of random weights: matrices normal with a standard deviation of 0.02, norms of ones.
package struct RandomLlama: Sendable {
    package var shape: LlamaShape
    package var mix: FormatMix
    /// Without a head of its own the embedding is the head, in the output's format.
    package var isTied: Bool
    package var seed: UInt64

    package static let spread: Float = 0.02

    package init(shape: LlamaShape, mix: FormatMix, isTied: Bool = true, seed: UInt64 = 1) {
        self.shape = shape
        self.mix = mix
        self.isTied = isTied
        self.seed = seed
    }

    private struct Part {
        var name: String
        var role: FormatMix.Role
        /// Nil for norms.
        var rows: Int?
        var columns: Int
    }

    private var parts: [Part] {
        let hidden = shape.hiddenSize
        let (queries, keys) = (shape.headCount * shape.headSize, shape.kvHeadCount * shape.headSize)
        func part(_ name: String, _ role: FormatMix.Role, _ rows: Int, _ columns: Int) -> Part {
            Part(name: name, role: role, rows: rows, columns: columns)
        }
        func norm(_ name: String) -> Part { Part(name: name, role: .other, rows: nil, columns: hidden) }
        var parts = [part(TensorNames.tokenEmbedding, isTied ? .output : .embedding, shape.vocabularySize, hidden)]
        for layer in 0..<shape.layerCount {
            let names = TensorNames.layer(layer)
            parts += [
                norm(names.attentionNorm),
                part(names.query, .other, queries, hidden),
                part(names.key, .other, keys, hidden),
                part(names.value, .sensitive(layer: layer), keys, hidden),
                part(names.attentionOutput, .other, hidden, queries),
                norm(names.feedForwardNorm),
                part(names.gate, .other, shape.feedForwardSize, hidden),
                part(names.up, .other, shape.feedForwardSize, hidden),
                part(names.down, .sensitive(layer: layer), hidden, shape.feedForwardSize),
            ]
        }
        parts.append(norm(TensorNames.outputNorm))
        if !isTied { parts.append(part(TensorNames.output, .output, shape.vocabularySize, hidden)) }
        return parts
    }

    /// Writes the model over all threads of `context`. The same seed gives the same file on any number of threads.
    ///
    /// - Parameter tokenizer: metadata keys; of at most `shape.vocabularySize` tokens.
    /// - Throws: when a matrix has rows that are not whole blocks of its format, or the file cannot be written.
    package func write(
        to path: String, name: String, tokenizer: [(name: String, value: GGUFValue)], context: ComputeContext
    ) throws {
        var header = GGUFHeader()
        for (key, value) in shape.keys(name: name) + tokenizer { header.set(key, value) }
        for part in parts {
            let format = part.rows == nil ? .f32 : mix.format(of: part.role, layerCount: shape.layerCount)
            guard part.columns % format.blockElementCount == 0 else {
                throw WritingError(
                    "\(part.name) has rows of \(part.columns) values, which \(format.name) cannot have: it packs "
                        + "\(format.blockElementCount) together; change the shape or the format")
            }
            header.add(part.name, format, rows: part.rows, columns: part.columns)
        }
        let output = try GGUFOutput(path: path, header: header)
        for (index, part) in parts.enumerated() {
            if part.rows == nil {
                try output.append([Float](repeating: 1, count: part.columns))
            } else {
                let seed = seed &+ UInt64(index) &* 0x2545_F491_4F6C_DD1D
                try TensorStream(context: context, tensor: header.tensors[index]).write(to: output) { row, values in
                    var source = NormalSource(seed: seed, stream: UInt64(row))
                    source.fill(values, count: part.columns, spread: Self.spread)
                }
            }
        }
        try output.close()
    }
}
