import Inference
import Models
import Tensors
import Testing
import Vocabulary

/// A sequence's results depend on its tokens and parameters only.
@Suite struct SameBitsTests {
    /// Eight requests of different lengths, one longer than an attention span, with different parameters.
    static func requests(vocabularySize: Int, lengths: [Int] = [1, 2, 262, 31, 32, 33, 40, 65]) -> [TestRequest] {
        var random = SeededGenerator(99)
        return lengths.enumerated().map { index, length in
            var sampling = SamplingParameters()
            sampling.topLogprobCount = index % 4
            sampling.temperature = index % 3 == 0 ? 0 : 0.5 + Float(index) / 4
            sampling.topK = index % 2 * 40
            sampling.topP = index > 3 ? 0.9 : 1
            sampling.minP = index == 4 ? 0.05 : 0
            sampling.repetitionPenalty = index == 5 ? 1.3 : 1
            sampling.presencePenalty = index == 6 ? 0.7 : 0
            sampling.frequencyPenalty = index == 6 || index == 7 ? 0.4 : 0
            sampling.seed = UInt64(index) * 1001
            return TestRequest(
                prompt: (0..<length).map { _ in TokenID.random(in: 0..<TokenID(vocabularySize), using: &random) },
                sampling: sampling, outputCount: 6, scores: index % 2 == 1, suppressesEnd: index == 2)
        }
    }

    static let mixed: RandomModel.Shape = RandomModel.Shape(
        layerCount: 5, isTied: false, hasBiases: true, hasRotaryFactors: true,
        formats: [.q4_1, .q8_0, .f32, .q5_1, .q4_0, .bf16, .iq4_nl, .f16, .q5_0], seed: 3)

    /// The formats of a Q4_K_M file: embedding, value and down in Q6_K, the others in Q4_K.
    static let mixedK = RandomModel.Shape.fitting(
        [.q6_k, .q4_k, .q4_k, .q6_k, .q4_k, .q4_k, .q4_k], layerCount: 4, seed: 6)

    struct Machine: Sendable, CustomTestStringConvertible {
        var instructionSet: InstructionSet
        var threadCount: Int
        var testDescription: String { "\(instructionSet.rawValue), \(threadCount) threads" }
        static let all = InstructionSet.available.flatMap { set in
            (1...4).map { Machine(instructionSet: set, threadCount: $0) }
        }
    }

    enum Model: String, CaseIterable, CustomTestStringConvertible {
        case blocksOf32 = "blocks of 32, and floats"
        case blocksOf256 = "blocks of 256"

        var testDescription: String { rawValue }
        var shape: RandomModel.Shape { self == .blocksOf32 ? mixed : mixedK }
        var requests: [TestRequest] {
            SameBitsTests.requests(
                vocabularySize: shape.vocabularySize,
                lengths: self == .blocksOf32 ? [1, 2, 262, 31, 32, 33, 40, 65] : [1, 2, 70, 31, 9, 33])
        }
        /// What one scalar thread gives; empty when it fails.
        var expected: [TestResult] { self == .blocksOf32 ? Self.expected32 : Self.expected256 }

        private static let expected32 = blocksOf32.scalarResults
        private static let expected256 = blocksOf256.scalarResults

        private var scalarResults: [TestResult] {
            guard let file = try? RandomModel(shape).open(),
                let context = try? ComputeContext(threadCount: 1, instructionSet: .scalar),
                let pipeline = try? TestPipeline(file, context: context, endTokens: [5, 6])
            else { return [] }
            return (try? TestDriver(pipeline: pipeline).run(requests)) ?? []
        }
    }

    @Test(arguments: Model.allCases, Machine.all)
    func everySplitChunkAndBatchOnEveryMachine(_ model: Model, _ machine: Machine) throws {
        try #require(!model.expected.isEmpty && model.expected.allSatisfy { !$0.isNotFinite })
        let context = try ComputeContext(threadCount: machine.threadCount, instructionSet: machine.instructionSet)
        let file = try RandomModel(model.shape).open()
        // The oracle is slow, and large models are for the others.
        let isQuick = machine.instructionSet != .scalar || model.shape.hiddenSize < 256
        let steps = isQuick ? [(1, 1), (1, 8), (7, 1), (7, 8), (64, 1), (64, 8)] : [(7, 1), (64, 8)]
        for stageCount in isQuick ? [1, 2, 3, model.shape.layerCount] : [1, model.shape.layerCount] {
            for (chunk, concurrency) in steps {
                let pipeline = try TestPipeline(
                    file, stageCount: stageCount, context: context, rowCountMax: 512, endTokens: [5, 6])
                let driver = TestDriver(
                    pipeline: pipeline, chunk: chunk, concurrency: concurrency, blockSeed: UInt64(chunk + concurrency))
                let results = try driver.run(model.requests)
                for index in results.indices {
                    #expect(
                        results[index] == model.expected[index],
                        "request \(index), \(stageCount) stages, chunk \(chunk), \(concurrency) at once")
                }
            }
        }
    }

    @Test(arguments: TensorFormat.allCases) func everyFormat(_ format: TensorFormat) throws {
        var shape = RandomModel.Shape.fitting([format], layerCount: 3, seed: 4)
        shape.kvHeadCount = 1
        shape.vocabularySize = 301
        if format.blockElementCount != 256 { shape.hiddenSize = 96 }
        let file = try RandomModel(shape).open()
        let requests = Self.requests(
            vocabularySize: 301,
            lengths: format.blockElementCount == 256 ? [1, 2, 70, 31, 9, 33] : [1, 2, 262, 31, 33])
        var expected: [TestResult]?
        for set in InstructionSet.available {
            let ways = [(1, 64, 1, 1), (3, 5, 8, 2), (2, 1, 3, 3), (3, 64, 8, 4)]
            for (stageCount, chunk, concurrency, threadCount) in ways {
                let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
                let pipeline = try TestPipeline(file, stageCount: stageCount, context: context, rowCountMax: 512)
                let driver = TestDriver(pipeline: pipeline, chunk: chunk, concurrency: concurrency)
                let results = try driver.run(requests)
                #expect(results.allSatisfy { !$0.isNotFinite })
                #expect(
                    results == expected ?? results, "\(set.rawValue), \(threadCount) threads, chunks of \(chunk)")
                expected = expected ?? results
            }
        }
    }

    @Test func runningASuffixAgainGivesTheSame() throws {
        let file = try RandomModel(Self.mixed).open()
        let pipeline = try TestPipeline(file, stageCount: 2, context: try ComputeContext(threadCount: 2))
        var sampling = SamplingParameters()
        sampling.temperature = 1
        sampling.repetitionPenalty = 1.2
        sampling.frequencyPenalty = 0.5
        sampling.topLogprobCount = 3
        let prompt: [TokenID] = (0..<40).map { $0 * 13 % 300 }
        let blocks: [BlockID] = [9, 4].map { BlockID($0) }
        func run(_ first: Int, _ tokens: [TokenID], introduced: Bool = false) throws -> TokenScore? {
            let introduction =
                introduced
                ? SequenceIntroduction(
                    sampling: sampling, promptTokenCount: 40, earlierTokens: Array(prompt[..<first])) : nil
            return try pipeline.run(
                [
                    SequenceRows(
                        sequence: SequenceID(1), firstPosition: first, tokens: tokens, samples: true,
                        introduction: introduction)
                ], blocks: [blocks])[0].sampled
        }
        let first = try #require(try run(0, prompt, introduced: true))
        let second = try #require(try run(40, [first.token]))
        let third = try #require(try run(41, [second.token]))
        // The same rows again, other rows in between, a suffix in other pieces, a new introduction.
        #expect(try run(41, [second.token]) == third)
        _ = try run(41, [(second.token + 1) % 300])
        #expect(try run(40, [first.token]) == second)
        #expect(try run(40, [first.token, second.token]) == third)
        #expect(try run(30, Array(prompt[30...])) == first)
        #expect(try run(30, Array(prompt[30...]) + [first.token]) == second)
        #expect(try run(20, Array(prompt[20...]) + [first.token, second.token], introduced: true) == third)
    }

    @Test func prefixBlocksMayBeShared() throws {
        let file = try RandomModel(Self.mixed).open()
        let pipeline = try TestPipeline(file, context: try ComputeContext(threadCount: 1))
        let prompt: [TokenID] = (0..<64).map { $0 * 7 % 300 }
        let introduction = SequenceIntroduction(sampling: SamplingParameters(), promptTokenCount: 70)
        func rows(_ id: UInt64, _ first: Int, _ tokens: [TokenID]) -> SequenceRows {
            SequenceRows(
                sequence: SequenceID(id), firstPosition: first, tokens: tokens, samples: true,
                introduction: introduction)
        }
        let own = [0, 1, 2].map { BlockID($0) }
        _ = try pipeline.run([rows(1, 0, prompt)], blocks: [own])
        let alone = try pipeline.run([rows(2, 0, prompt)], blocks: [[4, 5].map { BlockID($0) }])
        #expect(alone.count == 1)
        let whole = try pipeline.run([rows(3, 64, [1, 2, 3])], blocks: [own])
        let shared = try pipeline.run([rows(4, 64, [1, 2, 3])], blocks: [[0, 1, 7].map { BlockID($0) }])
        #expect(whole[0].sampled == shared[0].sampled)
    }
}
