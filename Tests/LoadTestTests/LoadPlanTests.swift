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

    @Test func arrivalsAreAPoissonProcess() {
        let plan = LoadPlan(model: "m", requestCount: 20_000, requestRate: 50, seed: 1)
        let times = plan.arrivalNanoseconds()
        #expect(times.count == 20_000)
        #expect(times[0] == 0)
        #expect(times == plan.arrivalNanoseconds())
        let gaps = zip(times.dropFirst(), times).map { Double($0 - $1) / 1e9 }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(gaps.count)
        // Exponential: the mean and the standard deviation are both 1 / rate.
        #expect(abs(mean - 0.02) < 0.001)
        #expect(abs(variance.squareRoot() - 0.02) < 0.001)
        #expect(LoadPlan(model: "m", requestCount: 3).arrivalNanoseconds() == [0, 0, 0])
    }
}
