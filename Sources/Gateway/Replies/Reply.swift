import Vocabulary

/// The answer to one request on its way, all choices together.
struct Reply: Sendable {
    let job: GenerationJob
    private(set) var choices: [ChoiceProgress]

    init(_ job: GenerationJob) {
        self.job = job
        choices = job.choices.map { ChoiceProgress($0, of: job) }
    }

    var isFinished: Bool { choices.allSatisfy(\.isFinished) }

    /// What `item` adds to which choice; nil when nothing.
    mutating func take(_ item: GenerationFeed.Item) throws(APIError) -> (choice: Int, delta: ChoiceProgress.Delta)? {
        switch item {
        case .event(let choice, let event):
            let delta = try choices[choice].take(event)
            return delta.isEmpty ? nil : (choice, delta)
        case .ended(let choice):
            guard choices[choice].isFinished else {
                throw APIError(GenerationFailure(.interrupted, "the generation ended without a result; ask again"))
            }
            return nil
        case .tick: return nil
        case .clientGone: throw .clientGone
        }
    }

    // MARK: What was used

    /// Sums over the request; choices of one prompt share its tokens.
    var usage: JSONValue {
        let total = total
        return [
            "prompt_tokens": .integer(total.promptTokenCount),
            "completion_tokens": .integer(total.outputTokenCount),
            "total_tokens": .integer(total.promptTokenCount + total.outputTokenCount),
            "prompt_tokens_details": ["cached_tokens": .integer(total.cachedTokenCount)],
        ]
    }

    /// In llama.cpp's words: n counts what was computed, so tokens found in the cache are not in `prompt_n`.
    var timings: JSONValue {
        let total = total
        let promptCount = max(0, total.promptTokenCount - total.cachedTokenCount)
        return [
            "cache_n": .integer(total.cachedTokenCount),
            "prompt_n": .integer(promptCount),
            "prompt_ms": .double(total.promptSeconds * 1000),
            "prompt_per_second": .double(Self.rate(promptCount, total.promptSeconds)),
            "predicted_n": .integer(total.outputTokenCount),
            "predicted_ms": .double(total.outputSeconds * 1000),
            "predicted_per_second": .double(Self.rate(total.outputTokenCount, total.outputSeconds)),
        ]
    }

    /// Tokens are summed; generations run side by side, so the longest gives the time.
    var total: GenerationUsage {
        var total = GenerationUsage(promptTokenCount: 0, outputTokenCount: 0)
        for (choice, progress) in zip(job.choices, choices) {
            if choice.isFirstOfPrompt {
                total.promptTokenCount += choice.request.prompt.count
                total.cachedTokenCount += progress.usage?.cachedTokenCount ?? 0
            }
            total.outputTokenCount += progress.usage?.outputTokenCount ?? 0
            total.promptSeconds = max(total.promptSeconds, progress.usage?.promptSeconds ?? 0)
            total.outputSeconds = max(total.outputSeconds, progress.usage?.outputSeconds ?? 0)
        }
        return total
    }

    static func rate(_ count: Int, _ seconds: Double) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
}
