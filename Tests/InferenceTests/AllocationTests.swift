import CAllocationCount
import Inference
import Models
import Tensors
import Testing
import Vocabulary

/// In steady state a stage computes in the memory it was made with.
@Suite struct AllocationTests {
    static let samplings: [SamplingParameters] = {
        var warm = SamplingParameters()
        warm.temperature = 0.8
        var nucleus = warm
        nucleus.topK = 40
        nucleus.topP = 0.9
        return [SamplingParameters(), warm, nucleus]
    }()

    @Test(arguments: samplings.indices, [1, 5]) func aDecodingStepAllocatesNothing(
        samplingIndex: Int, sequenceCount: Int
    ) throws {
        let file = try RandomModel(SameBitsTests.mixed).open()
        let description = try ModelDescription(file)
        let context = try ComputeContext(threadCount: 1)
        let weights = try StageWeights.load(
            file: file, description: description,
            units: StageUnits(layers: 0..<description.layerCount, hasEmbedding: true, hasHead: true),
            context: context)
        let blocksEach = 10
        let runner = try StageRunner(
            weights: weights, context: context, blockCount: blocksEach * sequenceCount, rowCountMax: 64, endTokens: [])
        let blocks = (0..<sequenceCount).map { index in
            (0..<blocksEach).map { BlockID(UInt32(index * blocksEach + $0)) }
        }
        var counts: [Int64] = []
        for position in 0..<300 {
            let rows = (0..<sequenceCount).map { index in
                SequenceRows(
                    sequence: SequenceID(UInt64(index)), firstPosition: position,
                    tokens: [TokenID((position * 7 + index) % description.vocabularySize)], samples: true,
                    introduction: position > 0
                        ? nil
                        : SequenceIntroduction(sampling: Self.samplings[samplingIndex], promptTokenCount: 1))
            }
            let batch = StageBatch(
                step: Step(
                    pipeline: PipelineID(1), epoch: Epoch(1), number: StepNumber(UInt64(position) + 1),
                    sequences: rows), blocks: blocks)
            sl_allocation_count_begin()
            let outputCount = try runner.run(batch, input: nil, output: nil).count
            counts.append(sl_allocation_count_end())
            #expect(outputCount == sequenceCount)
        }
        // The first steps let lists grow to their size; a new span of positions may once more.
        #expect(counts[0] > 0, "nothing is counted at all")
        let steady = counts[10...].enumerated().filter { ($0.offset + 10) % 256 != 0 }
        #expect(steady.allSatisfy { $0.element == 0 }, "\(counts)")
    }
}
