public import OpenAIClient

extension PromptCalibration {
    private static let shortWordCount = 32
    private static let longWordCount = 288

    /// Measured with two short requests of `plan`'s kind; nil when the server does not count tokens.
    public static func measured(by client: OpenAIClient, plan: LoadPlan) async throws -> PromptCalibration? {
        func tokenCount(wordCount: Int) async throws -> Int? {
            var plan = plan
            plan.calibration = .oneTokenPerWord
            plan.trace = []
            plan.sharedPrefix = nil
            plan.prompt = .words(tokenCount: wordCount)
            plan.outputTokenCount = 1
            // A number that no request of the run has: its prompt is in no cache.
            let request = LoadRequest(index: 1 << 39, plan: plan)
            switch plan.endpoint {
            case .chat: return try await client.chat(request.chat).usage?.promptTokenCount
            case .completions: return try await client.complete(request.completion).usage?.promptTokenCount
            }
        }
        guard let short = try await tokenCount(wordCount: shortWordCount),
            let long = try await tokenCount(wordCount: longWordCount)
        else { return nil }
        return PromptCalibration(
            shortWordCount: shortWordCount, shortTokenCount: short, longWordCount: longWordCount, longTokenCount: long)
    }
}
