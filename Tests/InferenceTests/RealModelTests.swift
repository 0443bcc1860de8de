import Foundation
import Inference
import Memory
import ModelWriting
import Models
import Tensors
import Testing
import Vocabulary

/// SmolLM2 against the float32 golden data, teacher-forced.
@Suite(.serialized, .enabled(if: RealModel.isThere, RealModel.missing)) struct RealModelTests {
    struct Fidelity: CustomStringConvertible {
        var errors: [Double] = []
        var sameTopCount = 0
        var meanError: Double { errors.reduce(0, +) / Double(max(1, errors.count)) }
        var sameTopShare: Double { Double(sameTopCount) / Double(max(1, errors.count)) }
        var description: String {
            let sorted = errors.sorted()
            return "\(errors.count) positions: mean error \(meanError), 99th percentile "
                + "\(sorted.isEmpty ? 0 : sorted[sorted.count * 99 / 100]), same top token \(sameTopShare)"
        }
    }

    /// Scores the continuations of `golden`, whose tokens are the reference's likeliest.
    private func measure(_ golden: [Golden], _ pipeline: TestPipeline, chunk: Int = 64) throws -> Fidelity {
        var fidelity = Fidelity()
        for text in golden {
            let tokens = text.tokens + text.continuation
            let blocks = (0..<UInt32(tokens.count / BlockID.positionCount + 1)).map { BlockID($0) }
            var sampling = SamplingParameters()
            sampling.topLogprobCount = 1
            // Only the rows from the prompt's last on are scored.
            let scoredFrom = text.tokens.count - 1
            var scores: [TokenScore] = []
            var first = 0
            while first < tokens.count - 1 {
                let end = min(first + chunk, first < scoredFrom ? scoredFrom : tokens.count - 1)
                let rows = SequenceRows(
                    sequence: SequenceID(1), firstPosition: first, tokens: Array(tokens[first..<end]),
                    scores: first >= scoredFrom, followingToken: tokens[end],
                    introduction: SequenceIntroduction(sampling: sampling, promptTokenCount: tokens.count))
                scores += try pipeline.run([rows], blocks: [blocks]).flatMap(\.scored)
                first = end
            }
            #expect(scores.map(\.token) == text.continuation)
            for (score, top) in zip(scores, text.top) {
                fidelity.errors.append(abs(Double(score.logprob) - top[0].logprob))
                if score.top[0].token == top[0].token { fidelity.sameTopCount += 1 }
            }
        }
        return fidelity
    }

    @Test func fidelityOfTheQuantisedModel() throws {
        let context = try ComputeContext(threadCount: 2)
        let pipeline = try TestPipeline(try RealModel.open(), context: context, blockCount: 80)
        let fidelity = try measure(
            Golden.read("smollm2-greedy") + Golden.read("smollm2-long"), pipeline)
        print("SmolLM2 Q4_1:", fidelity)
        #expect(fidelity.errors.count > 500)
        #expect(fidelity.meanError <= 0.028)
        #expect(fidelity.sameTopShare >= 0.97)
    }

    @Test func fidelityOfAFloatCopy() throws {
        let context = try ComputeContext(threadCount: 2)
        let copy = try TemporaryFile.with { path in
            try ModelCopy(of: RealModel.open(), mix: FormatMix(base: .f32), context: context).write(to: path)
            return try ModelFile(path: path)
        }
        let pipeline = try TestPipeline(copy, context: context, blockCount: 8)
        let golden = try Golden.read("smollm2-greedy").filter { $0.tokens.count < 40 }
        let fidelity = try measure(golden, pipeline)
        print("SmolLM2 F32:", fidelity)
        #expect(fidelity.errors.count > 100)
        #expect(fidelity.meanError <= 0.001)
        #expect(fidelity.sameTopShare >= 0.99)
    }

    @Test func greedyOutputIsTheReferences() throws {
        let context = try ComputeContext(threadCount: 2)
        let pipeline = try TestPipeline(try RealModel.open(), stageCount: 3, context: context)
        let golden = try #require(try Golden.read("smollm2-greedy").first)
        let results = try TestDriver(pipeline: pipeline).run([TestRequest(prompt: golden.tokens, outputCount: 8)])
        #expect(results[0].tokens == Array(golden.continuation.prefix(8)))
    }

    @Test func sameBitsInSplitsChunksBatchesAndInstructionSets() throws {
        let file = try RealModel.open()
        let requests = SameBitsTests.requests(vocabularySize: 49_152, lengths: [9, 1, 20, 33, 2, 5, 12, 7])
        let slow: [InstructionSet] = [.scalar]
        var expected: [TestResult]?
        var machines: [(InstructionSet, threads: Int, stages: Int, chunk: Int, concurrency: Int)] = [
            (.best, 1, 1, 64, 1), (.best, 2, 2, 7, 8), (.best, 3, 3, 1, 8), (.best, 2, 5, 64, 8), (.best, 1, 30, 7, 1),
        ]
        machines += InstructionSet.available.filter { $0 != .best }.map {
            slow.contains($0) ? ($0, 2, 2, 64, 8) : ($0, 2, 3, 7, 8)
        }
        for machine in machines {
            let context = try ComputeContext(threadCount: machine.threads, instructionSet: machine.0)
            let pipeline = try TestPipeline(
                file, stageCount: machine.stages, context: context, rowCountMax: 512, endTokens: [2])
            let results = try TestDriver(
                pipeline: pipeline, chunk: machine.chunk, concurrency: machine.concurrency).run(requests)
            #expect(results == expected ?? results, "\(machine)")
            expected = expected ?? results
        }
    }
}
