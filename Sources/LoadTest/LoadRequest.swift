public import OpenAIClient

/// One request of a load test.
public struct LoadRequest: Hashable, Sendable {
    public var index: Int
    public var plan: LoadPlan

    public init(index: Int, plan: LoadPlan) {
        self.index = index
        self.plan = plan
    }

    /// Ids below this are left out where the vocabulary allows it: control tokens and single bytes come first.
    private static let firstTokenID: Int32 = 1000

    public var options: GenerationOptions {
        var options = GenerationOptions()
        options.outputTokenCountMax = plan.outputTokenCount
        options.temperature = plan.temperature
        if plan.temperature > 0 { options.seed = plan.seed &+ UInt64(index) }
        if plan.ignoresEnd { options.ignoresEnd = true }
        return options
    }

    /// For `/v1/completions`.
    public var completion: CompletionRequest {
        CompletionRequest(model: plan.model, prompt: prompt, options: options)
    }

    /// For `/v1/chat/completions`.
    public var chat: ChatRequest {
        ChatRequest(
            model: plan.model, messages: [ChatRequest.Message(role: "user", content: text)], options: options)
    }

    private var prompt: CompletionRequest.Prompt {
        switch plan.prompt {
        case .text(let text): return .text(text)
        case .random(let tokenCount, let vocabularySize):
            var random = SplitMix64(seed: plan.seed, stream: UInt64(index))
            let end = Int32(clamping: max(vocabularySize, 1))
            let first = min(Self.firstTokenID, end / 2)
            return .tokens((0..<tokenCount).map { _ in Int32.random(in: first..<end, using: &random) })
        }
    }

    private var text: String {
        switch plan.prompt {
        case .text(let text): return text
        case .random(let tokenCount, _):
            var random = SplitMix64(seed: plan.seed, stream: UInt64(index))
            return (0..<tokenCount).map { _ in Self.words[Int(random.next() % UInt64(Self.words.count))] }
                .joined(separator: " ")
        }
    }

    /// Common words: each is one token for nearly every tokenizer.
    private static let words = [
        "time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school", "state",
        "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company",
        "system",
        "program", "question", "work", "number", "night", "point", "home", "water", "room", "mother", "area", "money",
        "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue", "side",
        "kind", "head", "house", "service", "friend", "father", "power", "hour", "game", "line", "end", "member", "law",
        "car",
    ]
}
