import Inference
import Memory
import Models
import Tensors
import Vocabulary

/// The stages of a model in one process, their contexts one and the same.
final class TestPipeline {
    let stages: [StageRunner]
    let description: ModelDescription
    let blockCount: Int
    private let hidden: [AlignedBuffer]
    private var stepNumber = StepNumber.first

    /// - Parameter stageCount: layers are dealt evenly.
    init(
        _ file: ModelFile, stageCount: Int = 1, context: ComputeContext, blockCount: Int = 64, rowCountMax: Int = 64,
        endTokens: [TokenID] = []
    ) throws {
        let description = try ModelDescription(file)
        self.description = description
        self.blockCount = blockCount
        let layerCount = description.layerCount
        stages = try (0..<stageCount).map { stage in
            let units = StageUnits(
                layers: layerCount * stage / stageCount..<layerCount * (stage + 1) / stageCount,
                hasEmbedding: stage == 0, hasHead: stage == stageCount - 1)
            let weights = try StageWeights.load(file: file, description: description, units: units, context: context)
            return try StageRunner(
                weights: weights, context: context, blockCount: blockCount, rowCountMax: rowCountMax,
                endTokens: endTokens)
        }
        hidden = try (0..<2).map { _ in try AlignedBuffer(byteCount: rowCountMax * description.hiddenSize * 4) }
    }

    /// Stages that are there already, from the first to the last.
    init(_ stages: [StageRunner]) throws {
        self.stages = stages
        description = stages[0].weights.description
        blockCount = stages[0].blockCount
        let byteCount = stages[0].rowCountMax * description.hiddenSize * 4
        hidden = try (0..<2).map { _ in try AlignedBuffer(byteCount: byteCount) }
    }

    func run(
        _ sequences: [SequenceRows], blocks: [[BlockID]], ended: [SequenceID] = []
    ) throws -> [SequenceOutput] {
        let step = Step(
            pipeline: PipelineID(1), epoch: Epoch(1), number: stepNumber, sequences: sequences, ended: ended)
        stepNumber = stepNumber.next
        let batch = StageBatch(step: step, blocks: blocks)
        var outputs: [SequenceOutput] = []
        for (index, stage) in stages.enumerated() {
            outputs = try stage.run(
                batch, input: index == 0 ? nil : UnsafePointer(hidden[(index + 1) % 2].pointer(to: Float.self)),
                output: index == stages.count - 1 ? nil : hidden[index % 2].pointer(to: Float.self))
        }
        return outputs
    }
}
