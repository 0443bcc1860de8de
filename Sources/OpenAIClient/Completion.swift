/// `POST /v1/completions`.
public struct CompletionRequest: Hashable, Sendable, Encodable {
    public enum Prompt: Hashable, Sendable, Encodable {
        case text(String)
        case texts([String])
        case tokens([Int32])

        public func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .texts(let texts): try container.encode(texts)
            case .tokens(let tokens): try container.encode(tokens)
            }
        }
    }

    public var model: String
    public var prompt: Prompt
    public var options: GenerationOptions
    /// Report log-probabilities with this many of the likeliest tokens.
    public var logprobs: Int?
    /// Put the prompt before the text; with `logprobs`, score it, too.
    public var echo: Bool?
    /// Set by the client's methods.
    var isStream = false

    public init(
        model: String, prompt: Prompt, options: GenerationOptions = GenerationOptions(), logprobs: Int? = nil,
        echo: Bool? = nil
    ) {
        self.model = model
        self.prompt = prompt
        self.options = options
        self.logprobs = logprobs
        self.echo = echo
    }

    private enum CodingKeys: String, CodingKey { case model, prompt, logprobs, echo }

    public func encode(to encoder: any Encoder) throws {
        try options.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(model, forKey: .model)
        try container.encode(prompt, forKey: .prompt)
        try container.encodeIfPresent(logprobs, forKey: .logprobs)
        try container.encodeIfPresent(echo, forKey: .echo)
        if isStream { try StreamKeys.encode(to: encoder) }
    }
}

/// An answer of `/v1/completions`, and a chunk of one.
public struct Completion: Hashable, Sendable, Decodable {
    public struct Choice: Hashable, Sendable, Decodable {
        public var index: Int
        public var text: String
        public var logprobs: LogProbabilities?
        public var finishReason: String?

        private enum CodingKeys: String, CodingKey {
            case index, text, logprobs
            case finishReason = "finish_reason"
        }
    }

    public var id: String?
    public var model: String?
    /// Empty in a chunk that brings the usage.
    public var choices: [Choice]
    public var usage: Usage?
}
