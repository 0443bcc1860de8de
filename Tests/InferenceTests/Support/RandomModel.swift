import Foundation
import Models
import Tensors

/// A small model of the llama architecture with random weights, as a file and as plain values.
struct RandomModel {
    struct Shape: Sendable, Hashable {
        var layerCount = 3
        var hiddenSize = 64
        var feedForwardSize = 96
        var headCount = 4
        var kvHeadCount = 2
        var headSize = 32
        var vocabularySize = 300
        var contextLength = 1024
        var isTied = true
        var hasBiases = false
        var hasRotaryFactors = false
        /// Matrices take these in turn.
        var formats: [TensorFormat] = [.f32]
        var seed: UInt64 = 1
        /// For an untied model of F32 weights: rows of this token, and of no other, have a logit beyond float32.
        var overflowingToken: Int?

        /// Two layers of which each matrix's rows are whole blocks of any of the formats, the K formats' too.
        static func fitting(_ formats: [TensorFormat], layerCount: Int = 2, seed: UInt64 = 1) -> Shape {
            var shape = Shape(layerCount: layerCount, formats: formats, seed: seed)
            guard formats.contains(where: { $0.blockElementCount == 256 }) else { return shape }
            shape.hiddenSize = 256
            shape.feedForwardSize = 512
            shape.headSize = 64
            return shape
        }
    }

    let shape: Shape
    private(set) var tensors: [String: RandomTensor] = [:]
    private var writer = ModelWriter()

    static let normEpsilon: Float = 1e-5
    static let rotaryBase: Float = 10_000

    init(_ shape: Shape) {
        self.shape = shape
        var random = SeededGenerator(shape.seed)
        setKeys()
        var matrixCount = 0
        func matrix(_ name: String, _ rows: Int, _ columns: Int, gain: Float = 1) {
            let format = shape.formats[matrixCount % shape.formats.count]
            matrixCount += 1
            add(
                name,
                RandomTensor(
                    format, rows: rows, columns: columns, spread: gain / Float(columns).squareRoot(), &random),
                isVector: false)
        }
        func vector(_ name: String, _ count: Int, center: Float, spread: Float) {
            let format: TensorFormat = matrixCount % 2 == 0 ? .f32 : .f16
            add(
                name, RandomTensor(format, rows: 1, columns: count, center: center, spread: spread, &random),
                isVector: true)
        }
        let (hidden, queries) = (shape.hiddenSize, shape.headCount * shape.headSize)
        let keys = shape.kvHeadCount * shape.headSize
        matrix(TensorNames.tokenEmbedding, shape.vocabularySize, hidden, gain: 8)
        if shape.hasRotaryFactors {
            add(
                TensorNames.rotaryFactors,
                RandomTensor(
                    .f32, rows: 1, columns: shape.headSize / 2, center: 2, spread: 0.5, &random), isVector: true)
        }
        for index in 0..<shape.layerCount {
            let names = TensorNames.layer(index)
            vector(names.attentionNorm, hidden, center: 1, spread: 0.2)
            matrix(names.query, queries, hidden, gain: 2)
            matrix(names.key, keys, hidden, gain: 2)
            matrix(names.value, keys, hidden)
            if shape.hasBiases {
                vector(names.queryBias, queries, center: 0, spread: 0.3)
                vector(names.keyBias, keys, center: 0, spread: 0.3)
                vector(names.valueBias, keys, center: 0, spread: 0.3)
                vector(names.attentionOutputBias, hidden, center: 0, spread: 0.1)
            }
            matrix(names.attentionOutput, hidden, queries)
            vector(names.feedForwardNorm, hidden, center: 1, spread: 0.2)
            matrix(names.gate, shape.feedForwardSize, hidden, gain: 2)
            matrix(names.up, shape.feedForwardSize, hidden)
            matrix(names.down, hidden, shape.feedForwardSize)
        }
        vector(TensorNames.outputNorm, hidden, center: 1, spread: 0.2)
        if !shape.isTied { matrix(TensorNames.output, shape.vocabularySize, hidden, gain: 2) }
    }

    private mutating func setKeys() {
        writer.set("general.architecture", string: "llama")
        writer.set("general.name", string: "random")
        writer.set("llama.block_count", integer: shape.layerCount)
        writer.set("llama.context_length", integer: shape.contextLength)
        writer.set("llama.embedding_length", integer: shape.hiddenSize)
        writer.set("llama.feed_forward_length", integer: shape.feedForwardSize)
        writer.set("llama.attention.head_count", integer: shape.headCount)
        writer.set("llama.attention.head_count_kv", integer: shape.kvHeadCount)
        writer.set("llama.attention.key_length", integer: shape.headSize)
        writer.set("llama.attention.value_length", integer: shape.headSize)
        writer.set("llama.rope.dimension_count", integer: shape.headSize)
        writer.set("llama.attention.layer_norm_rms_epsilon", float: Self.normEpsilon)
        writer.set("llama.rope.freq_base", float: Self.rotaryBase)
    }

    private mutating func add(_ name: String, _ tensor: RandomTensor, isVector: Bool) {
        var tensor = tensor
        if let token = shape.overflowingToken {
            // After the last norm the token's row is almost all in element 0, sqrt(hiddenSize) long.
            if name == TensorNames.tokenEmbedding { tensor.set(row: token, column: 0, to: 1e6) }
            if name == TensorNames.output { tensor.set(row: 0, column: 0, to: 0.9e38) }
        }
        tensors[name] = tensor
        writer.add(
            name, format: tensor.format, rows: isVector ? nil : tensor.rows, columns: tensor.columns,
            bytes: tensor.bytes)
    }

    func write(to path: String) throws { try writer.write(to: path) }

    /// The model as a file, which is gone from the disk when this returns but can be read as long as it is open.
    func open() throws -> ModelFile {
        try TemporaryFile.with { path in
            try writer.write(to: path)
            return try ModelFile(path: path)
        }
    }
}

enum TemporaryFile {
    /// A path for `body`; whatever lies there afterwards is deleted.
    static func with<R>(_ body: (String) throws -> R) throws -> R {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("shardline-\(UUID().uuidString).gguf")
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }
}
