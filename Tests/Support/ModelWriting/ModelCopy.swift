package import Models
package import Tensors

/// Writes a model again in another format: its metadata as it is, its matrices' exact values brought into `mix`.
package struct ModelCopy {
    let file: ModelFile
    let mix: FormatMix
    let context: ComputeContext

    package init(of file: ModelFile, mix: FormatMix, context: ComputeContext) {
        self.file = file
        self.mix = mix
        self.context = context
    }

    /// Norms, biases and other tensors of one dimension become F32.
    ///
    /// - Throws: when a matrix's rows are not whole blocks of its new format, or a file cannot be read or written.
    package func write(to path: String) throws {
        let description = try ModelDescription(file)
        var header = GGUFHeader()
        // The file type names the formats of before, the alignment may not be ours.
        let left = ["general.file_type", "general.alignment"]
        for (name, value) in try GGUFMetadata.read(file.path) where !left.contains(name) { header.set(name, value) }
        for tensor in file.tensors {
            let isMatrix = tensor.dimensions.count > 1
            let format =
                isMatrix
                ? mix.format(of: Self.role(of: tensor.name, description), layerCount: description.layerCount) : .f32
            guard tensor.columns % format.blockElementCount == 0 else {
                throw WritingError(
                    "tensor \(tensor.name) of \(file.path) has rows of \(tensor.columns) values, which "
                        + "\(format.name) cannot have: it packs \(format.blockElementCount) together")
            }
            header.add(tensor.name, format, rows: isMatrix ? tensor.rows : nil, columns: tensor.columns)
        }
        let output = try GGUFOutput(path: path, header: header)
        for (source, target) in zip(file.tensors, header.tensors) {
            let packed = try context.pack(
                file.bytes(of: source), format: source.format, rows: source.rows, columns: source.columns)
            context.finishPacking()
            file.dropPages(of: source)
            try TensorStream(context: context, tensor: target).write(to: output) { row, values in
                packed.dequantizeRow(row, into: values)
            }
        }
        try output.close()
    }

    private static func role(of name: String, _ description: ModelDescription) -> FormatMix.Role {
        switch name {
        case TensorNames.output: return .output
        case TensorNames.tokenEmbedding: return description.hasTiedEmbedding ? .output : .embedding
        default:
            for layer in 0..<description.layerCount {
                let names = TensorNames.layer(layer)
                if name == names.value || name == names.down { return .sensitive(layer: layer) }
            }
            return .other
        }
    }
}
