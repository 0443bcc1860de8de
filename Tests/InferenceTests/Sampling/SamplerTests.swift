import Foundation
import Inference
import Testing
import Vocabulary

@Suite struct SamplerTests {
    // MARK: Against a naive sampler

    /// The same rules with sorting, dictionaries and float64: the weight of every token that may be chosen.
    static func naiveWeights(
        _ logits: [Float], _ sampling: SamplingParameters, promptTokenCount: Int = 0, tokens: [TokenID] = [],
        suppressed: [TokenID] = []
    ) -> [Int: Double] {
        var logits = logits.map(Double.init)
        for token in Set(tokens) {
            let outputCount = tokens.dropFirst(promptTokenCount).count { $0 == token }
            let penalty = Double(sampling.repetitionPenalty)
            logits[Int(token)] = logits[Int(token)] > 0 ? logits[Int(token)] / penalty : logits[Int(token)] * penalty
            logits[Int(token)] -= Double(outputCount) * Double(sampling.frequencyPenalty)
            logits[Int(token)] -= outputCount > 0 ? Double(sampling.presencePenalty) : 0
        }
        for token in suppressed { logits[Int(token)] = -.infinity }
        let order = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
        if sampling.temperature == 0 { return [order[0]: 1] }
        var kept = order.map { ($0, exp((logits[$0] - logits[order[0]]) / Double(sampling.temperature))) }
        if sampling.topK > 0 { kept = Array(kept.prefix(sampling.topK)) }
        if sampling.topP < 1 {
            let wanted = kept.reduce(0) { $0 + $1.1 } * Double(sampling.topP)
            var sum = 0.0
            let end = kept.firstIndex { entry in
                sum += entry.1
                return sum >= wanted
            }
            kept = Array(kept.prefix((end ?? kept.count - 1) + 1))
        }
        kept = kept.filter { $0.1 >= Double(sampling.minP) && $0.1 > 0 }
        return Dictionary(uniqueKeysWithValues: kept)
    }

    private func draw(
        _ logits: [Float], _ sampling: SamplingParameters, promptTokenCount: Int = 0, tokens: [TokenID] = [],
        suppressed: [TokenID] = [], positions: Range<Int>
    ) throws -> [TokenID] {
        let scratch = try SamplerScratch(vocabularySize: logits.count)
        let history = TokenHistory(
            SequenceIntroduction(sampling: sampling, promptTokenCount: promptTokenCount, earlierTokens: tokens))
        var changing = logits
        return changing.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return [] }
            return positions.map { position in
                let token = Sampler.choose(
                    logits: base, history: history, suppressed: suppressed, position: position, scratch: scratch)
                #expect(buffer.elementsEqual(logits), "logits are as they were")
                return token
            }
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var temperature: Float
        var topK = 0
        var topP: Float = 1
        var minP: Float = 0
        var penalties: (repetition: Float, presence: Float, frequency: Float) = (1, 0, 0)
        var suppressed: [TokenID] = []
        var testDescription: String {
            "temperature \(temperature), top-k \(topK), top-p \(topP), min-p \(minP), penalties \(penalties), "
                + "suppressed \(suppressed)"
        }
        var sampling: SamplingParameters {
            var sampling = SamplingParameters()
            sampling.temperature = temperature
            (sampling.topK, sampling.topP, sampling.minP) = (topK, topP, minP)
            sampling.repetitionPenalty = penalties.repetition
            sampling.presencePenalty = penalties.presence
            sampling.frequencyPenalty = penalties.frequency
            sampling.seed = 0xC0FFEE
            return sampling
        }
    }

    static let cases = [
        Case(temperature: 0), Case(temperature: 1), Case(temperature: 0.3), Case(temperature: 3),
        Case(temperature: 1, topK: 1), Case(temperature: 1, topK: 7), Case(temperature: 2, topK: 90),
        Case(temperature: 2, topK: 1000), Case(temperature: 1, topP: 0.5), Case(temperature: 2, topP: 0.95),
        Case(temperature: 1, topP: 0), Case(temperature: 5, topP: 0.999), Case(temperature: 1, minP: 0.1),
        Case(temperature: 2, minP: 0.02), Case(temperature: 1, minP: 1), Case(temperature: 1.5, topK: 50, topP: 0.8),
        Case(temperature: 2, topK: 50, topP: 0.9, minP: 0.2), Case(temperature: 2, topP: 0.9, minP: 0.3),
        Case(temperature: 1, penalties: (1.5, 0, 0)), Case(temperature: 1, penalties: (1, 0.8, 0)),
        Case(temperature: 1, penalties: (1, 0, 0.6)), Case(temperature: 1, topK: 20, penalties: (1.2, -0.5, 0.3)),
        Case(temperature: 0, penalties: (3, 1, 1)), Case(temperature: 1, suppressed: [0, 3, 99]),
        Case(temperature: 1, topK: 5, penalties: (1.1, 0.1, 0.1), suppressed: [0, 1, 2, 3, 4, 5]),
        Case(temperature: 0, suppressed: [0, 1, 2]),
    ]

    /// 101 logits, steep in some places and with ties in others; history over tokens of all ranks.
    static let logits: [Float] = {
        var random = SeededGenerator(5)
        return (0..<101).map { token in
            token % 10 == 9 ? Float(Int.random(in: -2...3, using: &random)) : 3.5 * random.symmetric()
        }
    }()
    static let history: [TokenID] = {
        var random = SeededGenerator(6)
        return (0..<60).map { _ in TokenID.random(in: 0..<101, using: &random) } + [9, 9, 9, 19, 29, 29]
    }()

    @Test(arguments: cases) func onlyAndAllKeptTokensAreDrawnAsOftenAsTheirWeightSays(_ test: Case) throws {
        let weights = Self.naiveWeights(
            Self.logits, test.sampling, promptTokenCount: 20, tokens: Self.history, suppressed: test.suppressed)
        let count = 4_000
        let drawn = try draw(
            Self.logits, test.sampling, promptTokenCount: 20, tokens: Self.history, suppressed: test.suppressed,
            positions: 0..<count)
        var counts: [Int: Int] = [:]
        for token in drawn { counts[Int(token), default: 0] += 1 }
        #expect(counts.keys.allSatisfy { weights[$0] != nil }, "a token was drawn that the filters drop")
        // Chi-square over tokens expected at least five times; the others together.
        let total = weights.values.reduce(0, +)
        var chiSquare = 0.0, rareExpected = 0.0, rareCount = 0, degrees = -1
        for (token, weight) in weights {
            let expected = weight / total * Double(count)
            if expected < 5 {
                rareExpected += expected
                rareCount += counts[token] ?? 0
                continue
            }
            let difference = Double(counts[token] ?? 0) - expected
            chiSquare += difference * difference / expected
            degrees += 1
        }
        if rareExpected >= 5 {
            chiSquare += (Double(rareCount) - rareExpected) * (Double(rareCount) - rareExpected) / rareExpected
            degrees += 1
        }
        // Mean n, variance 2n: five standard deviations.
        let freedom = Double(max(degrees, 1))
        #expect(chiSquare <= freedom + 5 * (2 * freedom).squareRoot(), "\(degrees) degrees of freedom")
    }

    @Test func penaltiesFollowTheirFormula() {
        var sampling = SamplingParameters()
        (sampling.repetitionPenalty, sampling.presencePenalty, sampling.frequencyPenalty) = (2, 0.5, 0.25)
        #expect(Penalties.penalised(3, outputCount: 0, sampling: sampling) == 1.5)
        #expect(Penalties.penalised(-3, outputCount: 0, sampling: sampling) == -6)
        #expect(Penalties.penalised(3, outputCount: 2, sampling: sampling) == 0.5)
        #expect(Penalties.penalised(0, outputCount: 1, sampling: sampling) == -0.75)
    }

    // MARK: Edges

    @Test func equalLogitsGiveTheLowestId() throws {
        #expect(try draw([1, 3, 3, 2], SamplingParameters(), positions: 0..<1) == [1])
        #expect(try draw([0, -0.0, 0], SamplingParameters(), positions: 0..<1) == [0])
        var sampling = SamplingParameters()
        sampling.temperature = 1
        sampling.topK = 2
        #expect(Set(try draw([1, 3, 3, 3], sampling, positions: 0..<200)) == [1, 2])
    }

    @Test func suppressingAllStillGivesAToken() throws {
        var sampling = SamplingParameters()
        sampling.temperature = 1
        #expect(try draw([1, 2], sampling, suppressed: [0, 1], positions: 0..<1).count == 1)
    }

    @Test(arguments: [
        Float.nan, -1, 0, .leastNonzeroMagnitude, 1e-20, 1e30, .infinity,
    ])
    func oddParametersDoNotTrap(_ odd: Float) throws {
        var sampling = SamplingParameters()
        for field in [\SamplingParameters.temperature, \.topP, \.minP, \.repetitionPenalty, \.frequencyPenalty] {
            sampling = SamplingParameters()
            sampling.temperature = 1
            sampling[keyPath: field] = odd
            for topK in [-3, 0, 2, .max] {
                sampling.topK = topK
                let tokens = try draw([1, 2, -3, 0], sampling, tokens: [0, 1, 1], positions: 0..<20)
                #expect(tokens.allSatisfy { (0..<4).contains($0) })
            }
        }
    }

    @Test func choicesAndSeedsDiffer() throws {
        var sampling = SamplingParameters()
        sampling.temperature = 1.5
        let first = try draw(Self.logits, sampling, positions: 0..<50)
        #expect(try draw(Self.logits, sampling, positions: 0..<50) == first)
        sampling.choice = 1
        #expect(try draw(Self.logits, sampling, positions: 0..<50) != first)
        sampling.choice = 0
        sampling.seed = 1
        #expect(try draw(Self.logits, sampling, positions: 0..<50) != first)
    }

    @Test func historiesAreAddressedByPosition() {
        var sampling = SamplingParameters()
        sampling.presencePenalty = 1
        var history = TokenHistory(
            SequenceIntroduction(sampling: sampling, promptTokenCount: 3, earlierTokens: [1, 2]))
        history.record([3, 4, 5], at: 2)
        #expect(history.tokens == [1, 2, 3, 4, 5])
        history.record([9], at: 3)
        #expect(history.tokens == [1, 2, 3, 9])
        #expect(!history.reaches(5))
        history.record([7], at: 5)
        #expect(history.tokens == [1, 2, 3, 9], "a gap is not filled")
        var plain = TokenHistory(
            SequenceIntroduction(sampling: SamplingParameters(), promptTokenCount: 3, earlierTokens: [1]))
        plain.record([1, 2], at: 100)
        #expect(plain.tokens.isEmpty, "nothing is kept without penalties")
        #expect(plain.reaches(1000))
    }
}
