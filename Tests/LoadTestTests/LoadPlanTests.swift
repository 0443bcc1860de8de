import LoadTest
import OpenAIClient
import Testing

@Suite struct LoadPlanTests {
    private func tokens(_ plan: LoadPlan, _ index: Int) -> [Int32] {
        guard case .tokens(let tokens) = LoadRequest(index: index, plan: plan).completion.prompt else { return [] }
        return tokens
    }

    @Test func randomPromptsAreOfTheSeed() {
        let plan = LoadPlan(model: "m", prompt: .random(tokenCount: 200, vocabularySize: 5000), seed: 3)
        #expect(tokens(plan, 0).count == 200)
        #expect(tokens(plan, 0) == tokens(plan, 0))
        #expect(tokens(plan, 0) != tokens(plan, 1))
        var other = plan
        other.seed = 4
        #expect(tokens(plan, 0) != tokens(other, 0))
        #expect(tokens(plan, 7).allSatisfy { (1000..<5000).contains($0) })
        #expect(Set(tokens(plan, 7)).count > 150)
    }

    @Test(arguments: [1, 2, 3, 1000, 2000])
    func smallVocabulariesAreNotExceeded(size: Int) {
        let plan = LoadPlan(model: "m", prompt: .random(tokenCount: 100, vocabularySize: size))
        #expect(tokens(plan, 0).allSatisfy { (0..<Int32(size)).contains($0) })
    }

    @Test func chatPromptsHaveAsManyWords() {
        let plan = LoadPlan(model: "m", endpoint: .chat, prompt: .random(tokenCount: 50, vocabularySize: 9))
        let chat = LoadRequest(index: 1, plan: plan).chat
        #expect(chat.messages.count == 1)
        #expect(chat.messages[0].role == "user")
        #expect(chat.messages[0].content.split(separator: " ").count == 50)
    }

    @Test func optionsFollowThePlan() {
        var plan = LoadPlan(model: "m", prompt: .text("hello"), outputTokenCount: 9, ignoresEnd: true)
        var request = LoadRequest(index: 5, plan: plan)
        #expect(request.completion.prompt == .text("hello"))
        #expect(request.options.outputTokenCountMax == 9)
        #expect(request.options.ignoresEnd == true)
        #expect(request.options.seed == nil)
        plan.temperature = 0.5
        plan.seed = 10
        request.plan = plan
        #expect(request.options.seed == 15)
        #expect(request.options.temperature == 0.5)
    }

    @Test func wordPromptsFollowTheCalibration() {
        var plan = LoadPlan(model: "m", endpoint: .chat, prompt: .words(tokenCount: 110))
        plan.calibration = PromptCalibration(overheadTokenCount: 10, tokensPerWord: 1.25)
        #expect(LoadRequest(index: 3, plan: plan).chat.messages[0].content.split(separator: " ").count == 80)
        plan.endpoint = .completions
        guard case .text(let text) = LoadRequest(index: 3, plan: plan).completion.prompt else {
            Issue.record("no text")
            return
        }
        #expect(text.split(separator: " ").count == 80)
    }

    @Test func calibrationIsALine() throws {
        let measured = try #require(
            PromptCalibration(shortWordCount: 32, shortTokenCount: 50, longWordCount: 288, longTokenCount: 370))
        #expect(measured == PromptCalibration(overheadTokenCount: 10, tokensPerWord: 1.25))
        #expect(measured.wordCount(tokenCount: 5) == 1)
        #expect(
            PromptCalibration(shortWordCount: 32, shortTokenCount: 9, longWordCount: 288, longTokenCount: 9) == nil)
        #expect(
            PromptCalibration(shortWordCount: 32, shortTokenCount: 0, longWordCount: 288, longTokenCount: 9) == nil)
    }

    @Test func aShareOfThePromptsHasACommonBeginning() {
        var plan = LoadPlan(model: "m", prompt: .random(tokenCount: 100, vocabularySize: 5000), seed: 4)
        let before = (0..<1000).map { tokens(plan, $0) }
        plan.sharedPrefix = LoadPlan.SharedPrefix(share: 0.4, tokenCount: 60, prefixCount: 3)
        var groups: [[Int32]: Int] = [:]
        for index in 0..<1000 {
            let prompt = tokens(plan, index)
            #expect(prompt.count == 100)
            if LoadRequest(index: index, plan: plan).shape.prefixIndex == nil {
                #expect(prompt == before[index])
            } else {
                groups[Array(prompt[..<60]), default: 0] += 1
                #expect(prompt[60...] != before[index][60...])
            }
        }
        #expect(groups.count == 3)
        #expect((350...450).contains(groups.values.reduce(0, +)))
        #expect(groups.values.allSatisfy { $0 > 90 })
    }

    @Test func aPrefixLeavesThePromptALastTokenOfItsOwn() {
        var plan = LoadPlan(model: "m", prompt: .random(tokenCount: 5, vocabularySize: 5000))
        plan.sharedPrefix = LoadPlan.SharedPrefix(share: 1, tokenCount: 60)
        #expect(tokens(plan, 1)[..<4] == tokens(plan, 2)[..<4])
        #expect(tokens(plan, 1).count == 5)
        plan.endpoint = .chat
        let messages = LoadRequest(index: 1, plan: plan).chat.messages
        #expect(messages.map(\.role) == ["system", "user"])
        #expect(messages.map { $0.content.split(separator: " ").count } == [4, 1])
    }

    @Test func turnsBuildOnTheAnswers() {
        var plan = LoadPlan(model: "m", endpoint: .chat, prompt: .words(tokenCount: 20))
        plan.conversation = LoadPlan.Conversation(turnCount: 3, turnTokenCount: 5)
        let first = LoadRequest(index: 2, plan: plan)
        let third = first.following(answer: "one").following(answer: "two")
        #expect(third.name == "2.2")
        let messages = third.chat.messages
        #expect(messages.map(\.role) == ["user", "assistant", "user", "assistant", "user"])
        #expect(messages[0] == first.chat.messages[0])
        #expect(messages[1].content == "one")
        #expect(messages[3].content == "two")
        #expect(messages[4].content.split(separator: " ").count == 5)
        #expect(messages[4] != messages[2])
    }

    @Test func traceLengthsAreScaledAndCut() {
        var plan = LoadPlan(model: "m", requestCount: nil, arrivals: .trace)
        plan.trace = [(0, 100, 10), (5, 0, 0), (9, 4000, 3000)].map {
            TraceRow(arrivalNanoseconds: $0.0, promptTokenCount: $0.1, outputTokenCount: $0.2)
        }
        plan.lengthScale = 0.5
        plan.promptTokenCountMax = 1500
        plan.traceOutputTokenCountMax = 1000
        #expect((0..<3).map { plan.shape(ofRequest: $0).promptTokenCount } == [50, 1, 1500])
        #expect((0..<3).map { plan.shape(ofRequest: $0).outputTokenCount } == [5, 1, 1000])
        #expect(LoadRequest(index: 2, plan: plan).options.outputTokenCountMax == 1000)
        #expect(plan.oversizedCount(contextLength: 2499) == 1)
        #expect(plan.oversizedCount(contextLength: 2500) == 0)
    }

    @Test func disconnectsAreAShareAfterARandomNumberOfTokens() {
        var plan = LoadPlan(model: "m", outputTokenCount: 50, seed: 8)
        plan.disconnectShare = 0.1
        let counts = (0..<10_000).compactMap { plan.shape(ofRequest: $0).disconnectOutputCount }
        #expect((900...1100).contains(counts.count))
        #expect(Set(counts) == Set(0..<50))
        plan.disconnectShare = 1
        #expect((0..<100).allSatisfy { plan.shape(ofRequest: $0).disconnectOutputCount != nil })
    }

    @Test func oneAtATimeAsksTheSame() {
        var plan = LoadPlan(model: "m", arrivals: .poisson(perSecond: 5))
        plan.disconnectShare = 0.5
        let alone = plan.oneAtATime()
        #expect(alone.concurrencyMax == 1)
        #expect(!alone.isOpenLoop)
        #expect(alone.shape(ofRequest: 3).disconnectOutputCount == nil)
        #expect(LoadRequest(index: 3, plan: alone).fingerprint == LoadRequest(index: 3, plan: plan).fingerprint)
        #expect(LoadRequest(index: 4, plan: alone).fingerprint != LoadRequest(index: 3, plan: plan).fingerprint)
        plan.seed = 9
        #expect(LoadRequest(index: 3, plan: alone).fingerprint != LoadRequest(index: 3, plan: plan).fingerprint)
    }
}
