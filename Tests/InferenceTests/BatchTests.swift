import Inference
import Models
import Tensors
import Testing
import Vocabulary

/// Batches that make no sense are errors, change nothing, and do no harm to the next step.
@Suite struct BatchTests {
    static let greedy = SequenceIntroduction(sampling: SamplingParameters(), promptTokenCount: 4)

    static func penalised(_ earlier: [TokenID]) -> SequenceIntroduction {
        var sampling = SamplingParameters()
        sampling.repetitionPenalty = 1.1
        return SequenceIntroduction(sampling: sampling, promptTokenCount: 4, earlierTokens: earlier)
    }

    static func rows(
        _ id: UInt64 = 1, first: Int = 0, tokens: [TokenID] = [1, 2, 3], scores: Bool = false,
        following: TokenID? = nil, introduction: SequenceIntroduction? = greedy
    ) -> SequenceRows {
        SequenceRows(
            sequence: SequenceID(id), firstPosition: first, tokens: tokens, samples: true, scores: scores,
            followingToken: following, introduction: introduction)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let rows: [SequenceRows]
        let blocks: [[UInt32]]
        /// A part of the message.
        let message: String
        var testDescription: String { name }
    }

    static let cases = [
        Case(name: "too many rows", rows: [rows(tokens: Array(repeating: 1, count: 17))], blocks: [[0]], message: "16"),
        Case(
            name: "too many rows together", rows: [rows(tokens: Array(repeating: 1, count: 10)),
                rows(2, tokens: Array(repeating: 1, count: 10))], blocks: [[0], [1]], message: "16"),
        Case(name: "no rows", rows: [rows(tokens: [])], blocks: [[0]], message: "no rows"),
        Case(name: "block outside", rows: [rows()], blocks: [[8]], message: "block 8"),
        Case(name: "largest block", rows: [rows()], blocks: [[.max]], message: "block 4294967295"),
        Case(name: "no block", rows: [rows()], blocks: [[]], message: "0 blocks"),
        Case(name: "blocks too short", rows: [rows(first: 31)], blocks: [[0]], message: "need 2"),
        Case(name: "no block list", rows: [rows()], blocks: [], message: "0 block lists"),
        Case(name: "block list too many", rows: [rows()], blocks: [[0], [1]], message: "2 block lists"),
        Case(name: "token outside", rows: [rows(tokens: [1, 300])], blocks: [[0]], message: "token 300"),
        Case(name: "negative token", rows: [rows(tokens: [-1])], blocks: [[0]], message: "token -1"),
        Case(
            name: "following token outside", rows: [rows(scores: true, following: 5000)], blocks: [[0]],
            message: "token 5000"),
        Case(name: "negative position", rows: [rows(first: -1)], blocks: [[0]], message: "position -1"),
        Case(name: "position too large", rows: [rows(first: .max)], blocks: [[0]], message: "positions below 200"),
        Case(
            name: "beyond the context", rows: [rows(first: 198)], blocks: [[0, 1, 2, 3, 4, 5, 6]],
            message: "positions below 200"),
        Case(name: "twice the same sequence", rows: [rows(), rows()], blocks: [[0], [1]], message: "twice"),
        Case(name: "twice the same block", rows: [rows(), rows(2)], blocks: [[3], [3]], message: "block 3"),
        Case(name: "block twice in a list", rows: [rows(first: 30)], blocks: [[3, 3]], message: "block 3"),
        Case(name: "not introduced", rows: [rows(introduction: nil)], blocks: [[0]], message: "not introduced"),
        Case(
            name: "earlier tokens missing", rows: [rows(first: 2, introduction: penalised([1]))], blocks: [[0]],
            message: "1 tokens before position 2"),
        Case(
            name: "earlier token outside", rows: [rows(first: 2, introduction: penalised([1, 300]))], blocks: [[0]],
            message: "token 300"),
    ]

    private func pipeline(stageCount: Int = 1) throws -> TestPipeline {
        try TestPipeline(
            try RandomModel(RandomModel.Shape(contextLength: 200)).open(), stageCount: stageCount,
            context: try ComputeContext(threadCount: 1), blockCount: 8, rowCountMax: 16)
    }

    @Test(arguments: cases) func invalidBatchesAreErrors(_ test: Case) throws {
        let pipeline = try pipeline()
        let expected = try pipeline.run([Self.rows()], blocks: [[BlockID(0)]])
        let error = #expect(throws: InferenceError.self) {
            try pipeline.run(test.rows, blocks: test.blocks.map { $0.map { BlockID($0) } }, ended: [SequenceID(1)])
        }
        #expect(error?.kind == .invalidBatch)
        #expect(error?.message.contains(test.message) == true, "\(error?.message ?? "")")
        let again = try pipeline.run([Self.rows(introduction: nil)], blocks: [[BlockID(0)]])
        #expect(again == expected)
    }

    @Test func hiddenStatesMustBeGivenWhereTheyAreNeeded() throws {
        let stages = try pipeline(stageCount: 2).stages
        let step = Step(
            pipeline: PipelineID(1), epoch: Epoch(1), number: .first, sequences: [Self.rows()])
        let batch = StageBatch(step: step, blocks: [[BlockID(0)]])
        #expect(throws: InferenceError.self) { try stages[0].run(batch, input: nil, output: nil) }
        #expect(throws: InferenceError.self) { try stages[1].run(batch, input: nil, output: nil) }
    }

    @Test func gapsInPenalisedSequencesAreErrors() throws {
        let pipeline = try pipeline()
        _ = try pipeline.run([Self.rows(introduction: Self.penalised([]))], blocks: [[BlockID(0)]])
        #expect(throws: InferenceError.self) {
            try pipeline.run([Self.rows(first: 4, introduction: nil)], blocks: [[BlockID(0)]])
        }
        _ = try pipeline.run([Self.rows(first: 3, introduction: nil)], blocks: [[BlockID(0)]])
    }

    @Test func endedSequencesAreForgotten() throws {
        let pipeline = try pipeline()
        let head = pipeline.stages[0]
        _ = try pipeline.run([Self.rows(), Self.rows(2)], blocks: [[BlockID(0)], [BlockID(1)]])
        #expect(head.rememberedSequenceCount == 2)
        _ = try pipeline.run([], blocks: [], ended: [SequenceID(1)])
        #expect(head.rememberedSequenceCount == 1)
        #expect(throws: InferenceError.self) {
            try pipeline.run([Self.rows(introduction: nil)], blocks: [[BlockID(0)]])
        }
        // Ended and introduced anew in one step.
        _ = try pipeline.run([Self.rows(2)], blocks: [[BlockID(1)]], ended: [SequenceID(2)])
        #expect(head.rememberedSequenceCount == 1)
    }

    @Test func rowsThatNobodyWantsGiveNoOutput() throws {
        let pipeline = try pipeline()
        var silent = Self.rows(tokens: [1, 2, 3, 4])
        silent.samples = false
        var scored = Self.rows(2, tokens: [5], scores: true)
        scored.samples = false
        let outputs = try pipeline.run(
            [silent, scored, Self.rows(3)], blocks: [[BlockID(0)], [BlockID(1)], [BlockID(2)]])
        #expect(outputs.map(\.sequence) == [SequenceID(3)])
        scored.followingToken = 7
        let more = try pipeline.run([silent, scored], blocks: [[BlockID(0)], [BlockID(1)]])
        #expect(more.map(\.sequence) == [SequenceID(2)])
        #expect(more[0].scored.map(\.token) == [7])
        #expect(more[0].sampled == nil)
    }

    @Test func longPromptsAreScoredInPieces() throws {
        // 70,000 tokens: 29 rows go through the head at once.
        let shape = RandomModel.Shape(layerCount: 1, vocabularySize: 70_000, formats: [.q4_0])
        let pipeline = try TestPipeline(
            try RandomModel(shape).open(), context: try ComputeContext(threadCount: 2), rowCountMax: 64)
        let prompt = (0..<60).map { TokenID($0 * 1111) }
        let whole = try TestDriver(pipeline: pipeline, chunk: 60).run([TestRequest(prompt: prompt, scores: true)])
        let pieces = try TestDriver(pipeline: pipeline, chunk: 7).run([TestRequest(prompt: prompt, scores: true)])
        #expect(whole[0].scored.count == 59)
        #expect(whole == pieces)
    }

    @Test func logitsThatAreNotFiniteFailTheirSequenceOnly() throws {
        let file = try RandomModel(RandomModel.Shape(isTied: false, overflowingToken: 250)).open()
        let pipeline = try TestPipeline(file, context: try ComputeContext(threadCount: 2))
        let requests = [
            TestRequest(prompt: [1, 2, 3], outputCount: 4), TestRequest(prompt: [4, 250, 5], outputCount: 4, scores: true),
            TestRequest(prompt: [6, 7], outputCount: 4),
        ]
        let together = try TestDriver(pipeline: pipeline, concurrency: 3).run(requests)
        #expect(together.map(\.isNotFinite) == [false, true, false])
        #expect(together[1].scored.isEmpty)
        #expect(together[1].sampled.isEmpty)
        let alone = try TestDriver(pipeline: pipeline).run([requests[0], requests[2]])
        #expect(together[0] == alone[0])
        #expect(together[2] == alone[1])
    }
}
