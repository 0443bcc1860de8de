/// One generation, as the gateway hands it to the coordinator. A request with `n` choices or several prompts
/// is that many generations.
public struct GenerationRequest: Hashable, Sendable {
    public var model: String
    /// At least one token, all inside the vocabulary.
    public var prompt: [TokenID]
    public var sampling: SamplingParameters
    /// Nil: as many as the context has room for.
    public var outputTokenCountMax: Int?
    public var outputTokenCountMin: Int
    /// Go on after an end-of-generation token.
    public var ignoresEnd: Bool
    public var stopStrings: [String]
    /// Keep the matched stop string in the text.
    public var includesStopString: Bool
    /// Report a score for each token of the prompt but the first.
    public var scoresPrompt: Bool
    /// Requests share cached prefixes only with those of the same salt.
    public var cacheSalt = ""
    /// Whether cached prefixes may be used; what the request computes is cached all the same.
    public var reusesPrefix = true
    /// Whom the request is for: service is shared fairly between tenants.
    public var tenant = ""
    /// In `priorities`: each step up doubles the share of the tenant's requests of that priority.
    public var priority = 0
    /// The longest that the client waits for the end; nil is as long as the coordinator allows.
    public var timeLimit: Instant.Span?

    public static let priorities = -3...3

    public init(
        model: String, prompt: [TokenID], sampling: SamplingParameters = SamplingParameters(),
        outputTokenCountMax: Int? = nil, outputTokenCountMin: Int = 0, ignoresEnd: Bool = false,
        stopStrings: [String] = [], includesStopString: Bool = false, scoresPrompt: Bool = false
    ) {
        self.model = model
        self.prompt = prompt
        self.sampling = sampling
        self.outputTokenCountMax = outputTokenCountMax
        self.outputTokenCountMin = outputTokenCountMin
        self.ignoresEnd = ignoresEnd
        self.stopStrings = stopStrings
        self.includesStopString = includesStopString
        self.scoresPrompt = scoresPrompt
    }
}

/// What a generation tells, in this order: accepted, prompt progress and scores, output..., then finished or failed.
public enum GenerationEvent: Hashable, Sendable {
    case accepted(RequestID)
    /// The scores of the whole prompt, from its second token on.
    case promptScored([TokenScore])
    /// `text` never ends inside a UTF-8 character nor inside what may become a stop string, so it can lag behind
    /// `tokens`; all texts joined are the output.
    case output(text: String, tokens: [TokenScore])
    case finished(FinishReason, GenerationUsage)
    case failed(GenerationFailure)
}

public enum FinishReason: String, Hashable, Sendable {
    /// An end-of-generation token or a stop string.
    case stop
    /// The longest output asked for, or the end of the context.
    case length
}

public struct GenerationUsage: Hashable, Sendable {
    public var promptTokenCount: Int
    public var outputTokenCount: Int
    /// Prompt tokens whose KV was found in the cache.
    public var cachedTokenCount: Int
    public var promptSeconds: Double
    public var outputSeconds: Double

    public init(
        promptTokenCount: Int, outputTokenCount: Int, cachedTokenCount: Int = 0, promptSeconds: Double = 0,
        outputSeconds: Double = 0
    ) {
        self.promptTokenCount = promptTokenCount
        self.outputTokenCount = outputTokenCount
        self.cachedTokenCount = cachedTokenCount
        self.promptSeconds = promptSeconds
        self.outputSeconds = outputSeconds
    }
}

/// Why a generation ended without a result. `message` names the thing and the fix.
public struct GenerationFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// The request can never be served: too long, unknown model, token outside the vocabulary.
        case invalid
        case unknownModel
        /// Nothing serves the model now; later it may.
        case unavailable
        /// The queue is full.
        case overloaded
        /// The tenant's part of the queue is full.
        case rateLimited
        /// The request's time limit has passed.
        case timedOut
        /// A node was lost, or a computation failed, while the request ran.
        case interrupted
        case cancelled
    }
    public var kind: Kind
    public var message: String
    /// When it may be worth asking again; nil when nothing is known.
    public var retryAfterSeconds: Int?
    public init(_ kind: Kind, _ message: String, retryAfterSeconds: Int? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }
    public var description: String { message }
}

/// "Generate": all that the gateway sees of the cluster.
public protocol GenerationService: Sendable {
    /// The models that may be asked for, ready or not.
    var models: [ModelProfile] { get }
    /// Nil when every model is served; else why not yet.
    func unreadyReason() async -> String?
    /// The stream ends after `finished` or `failed`. Ending the iteration cancels the generation.
    func generate(_ request: GenerationRequest) async -> AsyncStream<GenerationEvent>
}
