/// `POST /v1/chat/completions`.
public struct ChatRequest: Hashable, Sendable, Encodable {
    public struct Message: Hashable, Sendable, Codable {
        /// "system", "user" or "assistant".
        public var role: String
        public var content: String

        public init(role: String, content: String) {
            self.role = role
            self.content = content
        }

        private enum CodingKeys: String, CodingKey { case role, content }

        /// A null content is an empty one.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            role = try container.decode(String.self, forKey: .role)
            content = try container.decodeIfPresent(String.self, forKey: .content) ?? ""
        }
    }

    public var model: String
    public var messages: [Message]
    public var options: GenerationOptions
    /// Report log-probabilities.
    public var logprobs: Bool?
    /// With `logprobs`, how many of the likeliest tokens stand beside each.
    public var topLogprobs: Int?
    /// Set by the client's methods.
    var isStream = false

    public init(
        model: String, messages: [Message], options: GenerationOptions = GenerationOptions(),
        logprobs: Bool? = nil, topLogprobs: Int? = nil
    ) {
        self.model = model
        self.messages = messages
        self.options = options
        self.logprobs = logprobs
        self.topLogprobs = topLogprobs
    }

    private enum CodingKeys: String, CodingKey {
        case model, messages, logprobs
        case topLogprobs = "top_logprobs"
    }

    public func encode(to encoder: any Encoder) throws {
        try options.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(model, forKey: .model)
        try container.encode(messages, forKey: .messages)
        try container.encodeIfPresent(logprobs, forKey: .logprobs)
        try container.encodeIfPresent(topLogprobs, forKey: .topLogprobs)
        if isStream { try StreamKeys.encode(to: encoder) }
    }
}

/// An answer of `/v1/chat/completions` that was not streamed.
public struct ChatCompletion: Hashable, Sendable, Decodable {
    public struct Choice: Hashable, Sendable, Decodable {
        public var index: Int
        public var message: ChatRequest.Message
        public var logprobs: LogProbabilities?
        public var finishReason: String?

        private enum CodingKeys: String, CodingKey {
            case index, message, logprobs
            case finishReason = "finish_reason"
        }
    }

    public var id: String?
    public var model: String?
    public var choices: [Choice]
    public var usage: Usage?
}

/// A chunk of a streamed answer of `/v1/chat/completions`.
public struct ChatChunk: Hashable, Sendable, Decodable {
    public struct Delta: Hashable, Sendable, Decodable {
        /// In the first chunk.
        public var role: String?
        public var content: String?
    }

    public struct Choice: Hashable, Sendable, Decodable {
        public var index: Int
        public var delta: Delta
        public var logprobs: LogProbabilities?
        /// In the last chunk.
        public var finishReason: String?

        private enum CodingKeys: String, CodingKey {
            case index, delta, logprobs
            case finishReason = "finish_reason"
        }
    }

    public var id: String?
    public var model: String?
    /// Empty in the chunk that brings the usage.
    public var choices: [Choice]
    public var usage: Usage?
}
