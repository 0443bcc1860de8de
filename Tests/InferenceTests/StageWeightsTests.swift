import Inference
import Models
import Tensors
import Testing
import Vocabulary

@Suite struct StageWeightsTests {
    private let context: ComputeContext

    init() throws { context = try ComputeContext(threadCount: 1) }

    private func load(
        _ file: ModelFile, _ layers: Range<Int>, embedding: Bool = false, head: Bool = false
    ) throws -> StageWeights {
        try StageWeights.load(
            file: file, description: try ModelDescription(file),
            units: StageUnits(layers: layers, hasEmbedding: embedding, hasHead: head), context: context)
    }

    @Test func tiedEmbeddingIsHeldOnce() throws {
        let file = try RandomModel(RandomModel.Shape(formats: [.q8_0])).open()
        let layers = try load(file, 0..<3).byteCount
        let embedding = try load(file, 0..<3, embedding: true).byteCount - layers
        let head = try load(file, 0..<3, head: true).byteCount - layers
        let both = try load(file, 0..<3, embedding: true, head: true).byteCount - layers
        #expect(embedding > 0)
        #expect(head > embedding, "the head has a norm of its own")
        #expect(both == head)
    }

    @Test func progressEndsWithEverything() throws {
        let file = try RandomModel(RandomModel.Shape(hasBiases: true, formats: [.q4_0])).open()
        var seen: [(Int, Int)] = []
        _ = try StageWeights.load(
            file: file, description: try ModelDescription(file),
            units: StageUnits(layers: 0..<3, hasEmbedding: true, hasHead: true), context: context,
            progress: { seen.append(($0, $1)) })
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.0 < $1.0 && $0.1 == $1.1 })
        #expect(seen.last.map { $0.0 == $0.1 } == true)
        #expect(seen.last?.0 == file.tensors.reduce(0) { $0 + $1.byteCount })
    }

    @Test(arguments: [-1..<2, 0..<4, 2..<2, 3..<5]) func layersOutsideTheModel(_ layers: Range<Int>) throws {
        let file = try RandomModel(RandomModel.Shape()).open()
        let error = #expect(throws: InferenceError.self) { try load(file, layers) }
        #expect(error?.kind == .invalidStage)
    }

    @Test func tensorsThatDoNotFitTheDescriptionAreNamed() throws {
        let file = try RandomModel(RandomModel.Shape(feedForwardSize: 128)).open()
        let other = try ModelDescription(try RandomModel(RandomModel.Shape()).open())
        let units = StageUnits(layers: 1..<2, hasEmbedding: false, hasHead: false)
        let shape = #expect(throws: InferenceError.self) {
            try StageWeights.load(file: file, description: other, units: units, context: context)
        }
        #expect(shape?.kind == .unsuitableModel)
        #expect(shape?.message.contains("blk.1.ffn_gate.weight") == true)
        #expect(shape?.message.contains("128") == true)

        let small = try RandomModel(RandomModel.Shape(layerCount: 1)).open()
        let missing = #expect(throws: InferenceError.self) {
            try StageWeights.load(file: small, description: other, units: units, context: context)
        }
        #expect(missing?.message.contains("blk.1.attn_norm.weight") == true)
    }

    @Test func absurdStagesAreErrors() throws {
        let weights = try load(try RandomModel(RandomModel.Shape()).open(), 0..<3, embedding: true, head: true)
        for (blockCount, rowCountMax) in [(0, 1), (-5, 1), (1, 0), (1, -1), (.max, 1), (1, .max), (1 << 26, 1 << 16)] {
            #expect(throws: InferenceError.self, "\(blockCount) blocks, \(rowCountMax) rows") {
                try StageRunner(
                    weights: weights, context: context, blockCount: blockCount, rowCountMax: rowCountMax, endTokens: [])
            }
        }
    }
}
