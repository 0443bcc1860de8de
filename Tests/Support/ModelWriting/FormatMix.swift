package import Tensors

/// Which matrix of a model has which format.
package struct FormatMix: Sendable, Hashable {
    /// The matrices whose formats a mix may choose apart.
    package enum Role: Sendable, Hashable {
        /// The head; of a model without a separate one, the embedding.
        case output
        case embedding
        /// Attention values, or the feed-forward network's way down, of a layer.
        case sensitive(layer: Int)
        case other
    }

    package var base: TensorFormat
    package var output: TensorFormat
    /// Of the sensitive matrices in some of the layers; nil: the same as the others.
    package var better: TensorFormat?

    package init(base: TensorFormat, output: TensorFormat? = nil, better: TensorFormat? = nil) {
        self.base = base
        self.output = output ?? base
        self.better = better
    }

    package func format(of role: Role, layerCount: Int) -> TensorFormat {
        switch role {
        case .output: output
        case .sensitive(let layer): Self.isBetter(layer: layer, of: layerCount) ? better ?? base : base
        case .embedding, .other: base
        }
    }

    /// llama.cpp's rule for its "M" mixes: the first and the last eighth of the layers, and every third between them.
    static func isBetter(layer: Int, of layerCount: Int) -> Bool {
        let eighth = layerCount / 8
        return layer < eighth || layer >= 7 * layerCount / 8 || (layer - eighth) % 3 == 2
    }

    /// A mix by a format's name or as one of llama.cpp's: Q4_K_M is Q4_K with Q6_K for the output and for half of the
    /// sensitive matrices, Q5_K_M likewise. Nil when the name, or a format of the mix, is unknown.
    package init?(named name: String, output: TensorFormat? = nil) {
        let wanted = name.uppercased()
        func format(_ name: String) -> TensorFormat? { TensorFormat.allCases.first { $0.name == name } }
        if let plain = format(wanted) {
            self.init(base: plain, output: output)
        } else if wanted.hasSuffix("_K_M"), ["Q4_K_M", "Q5_K_M"].contains(wanted),
            let base = format(String(wanted.dropLast(2))), let better = format("Q6_K")
        {
            self.init(base: base, output: output ?? better, better: better)
        } else {
            return nil
        }
    }

    /// What `init(named:)` takes.
    package static var names: [String] {
        TensorFormat.allCases.map(\.name) + ["Q4_K_M", "Q5_K_M"].filter { FormatMix(named: $0) != nil }
    }
}
