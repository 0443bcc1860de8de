import Foundation

/// What a load test does.
public struct LoadPlan: Hashable, Sendable {
    public enum Endpoint: String, CaseIterable, Hashable, Sendable {
        case completions
        case chat
    }

    public enum Prompt: Hashable, Sendable {
        /// Random token ids below `vocabularySize`; for the chat endpoint, about as many random words.
        case random(tokenCount: Int, vocabularySize: Int)
        /// The same text for all requests.
        case text(String)
    }

    public var model: String
    public var endpoint: Endpoint
    public var prompt: Prompt
    public var requestCount: Int
    /// Requests that run at once; nil: no limit.
    public var concurrencyMax: Int?
    /// Requests per second, at random moments (a Poisson process); infinite: all at once.
    public var requestRate: Double
    public var outputTokenCount: Int
    /// Ask the server to go on after an end-of-generation token, so that all outputs have their full length.
    public var ignoresEnd: Bool
    public var temperature: Double
    /// Of prompts, arrival times and, with a temperature, of the sampling: the same seed is the same test.
    public var seed: UInt64

    public init(
        model: String, endpoint: Endpoint = .completions,
        prompt: Prompt = .random(tokenCount: 128, vocabularySize: 30_000), requestCount: Int = 100,
        concurrencyMax: Int? = nil, requestRate: Double = .infinity, outputTokenCount: Int = 128,
        ignoresEnd: Bool = false, temperature: Double = 0, seed: UInt64 = 0
    ) {
        self.model = model
        self.endpoint = endpoint
        self.prompt = prompt
        self.requestCount = requestCount
        self.concurrencyMax = concurrencyMax
        self.requestRate = requestRate
        self.outputTokenCount = outputTokenCount
        self.ignoresEnd = ignoresEnd
        self.temperature = temperature
        self.seed = seed
    }

    /// When request `index` and all before it are due, in nanoseconds from the start, in order.
    public func arrivalNanoseconds() -> [UInt64] {
        guard requestRate.isFinite, requestRate > 0 else { return [UInt64](repeating: 0, count: requestCount) }
        var random = SplitMix64(seed: seed, stream: .max)
        var seconds = 0.0
        return (0..<requestCount).map { index in
            // The gaps of a Poisson process are exponentially distributed: -ln(1 - u) / rate.
            if index > 0 { seconds += -log(1 - random.nextUnit()) / requestRate }
            return UInt64(min(seconds * 1e9, 9e18))
        }
    }
}
