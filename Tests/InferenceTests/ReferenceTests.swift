import Inference
import Models
import Tensors
import Testing
import Vocabulary

/// Random models against the same arithmetic in float64 and plain loops.
@Suite struct ReferenceTests {
    static let prompt: [TokenID] = (0..<48).map { $0 * 37 % 300 }

    struct Case: Sendable, CustomTestStringConvertible {
        var formats: [TensorFormat]
        /// Of log-probabilities, root mean square over all tokens of the vocabulary.
        var tolerance: Double
        var change: @Sendable (inout RandomModel.Shape) -> Void = { _ in }
        var testDescription: String { formats.map(\.name).joined(separator: "+") }
    }

    static let cases = [
        Case(formats: [.f32], tolerance: 0.002),
        Case(formats: [.f32], tolerance: 0.002) {
            $0.isTied = false
            $0.hasBiases = true
            $0.hasRotaryFactors = true
        },
        Case(formats: [.f16], tolerance: 0.002) { $0.kvHeadCount = 4 },
        Case(formats: [.bf16], tolerance: 0.002) { $0.kvHeadCount = 1 },
        Case(formats: [.f32], tolerance: 0.002) {
            // Sizes that are not whole vectors.
            $0.hiddenSize = 72
            $0.feedForwardSize = 100
            $0.headSize = 24
            $0.headCount = 3
            $0.kvHeadCount = 1
            $0.vocabularySize = 313
        },
        Case(formats: [.q8_0], tolerance: 0.05),
        Case(formats: [.q4_0], tolerance: 0.05),
        Case(formats: [.q4_1], tolerance: 0.05) { $0.isTied = false },
        Case(formats: [.q6_k, .q4_k, .q4_k, .q6_k, .q4_k, .q4_k, .q4_k], tolerance: 0.1),
        Case(formats: [.q4_1, .f32, .q5_0, .q8_0, .bf16, .q4_0, .iq4_nl, .f16, .q5_1], tolerance: 0.05) {
            $0.hasBiases = true
        },
    ]

    /// An activation on the edge between two integers is rounded to either of them here and there, which the layers behind
    /// it amplify, and tied embeddings would once more.
    static let formatCases = [TensorFormat.q5_0, .q5_1, .iq4_nl, .q2_k, .q3_k, .q4_k, .q5_k, .q6_k].map { format in
        Case(formats: [format], tolerance: 0.08) { $0.isTied = false }
    }

    @Test(arguments: cases + formatCases) func logprobsAreThoseOfTheReference(_ test: Case) throws {
        var shape = RandomModel.Shape.fitting(test.formats, layerCount: 3)
        test.change(&shape)
        let model = RandomModel(shape)
        let expected = ReferenceModel(model).logprobs(Self.prompt)
        let context = try ComputeContext(threadCount: 2)
        let driver = TestDriver(pipeline: try TestPipeline(try model.open(), context: context), chunk: 23)
        var sampling = SamplingParameters()
        sampling.topLogprobCount = 20
        let result = try driver.run([TestRequest(prompt: Self.prompt, sampling: sampling, scores: true)])[0]
        #expect(result.scored.count == Self.prompt.count - 1)
        var squares = 0.0, largest = 0.0, count = 0.0
        for (index, score) in result.scored.enumerated() {
            #expect(score.token == Self.prompt[index + 1])
            #expect(score.position == index + 1)
            #expect(score.top.count == 20)
            for ranked in score.top + [RankedToken(token: score.token, logprob: score.logprob)] {
                let error = Double(ranked.logprob) - expected[index][Int(ranked.token)]
                squares += error * error
                largest = max(largest, abs(error))
                count += 1
            }
        }
        let error = (squares / count).squareRoot()
        #expect(error <= test.tolerance, "root mean square \(error), largest \(largest)")
    }

    @Test func topIsSortedAndBeginsWithTheGreedyToken() throws {
        let model = RandomModel(RandomModel.Shape(formats: [.q8_0]))
        let pipeline = try TestPipeline(try model.open(), context: try ComputeContext(threadCount: 1))
        var sampling = SamplingParameters()
        sampling.topLogprobCount = 5
        let result = try TestDriver(pipeline: pipeline).run([
            TestRequest(prompt: Self.prompt, sampling: sampling, outputCount: 10)
        ])[0]
        for (index, token) in result.sampled.enumerated() {
            #expect(token.position == Self.prompt.count + index)
            #expect(token.top.count == 5)
            #expect(token.token == token.top[0].token)
            #expect(token.logprob == token.top[0].logprob)
            #expect(zip(token.top, token.top.dropFirst()).allSatisfy { $0.logprob >= $1.logprob })
        }
    }
}
