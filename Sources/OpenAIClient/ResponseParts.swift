/// How many tokens a request took.
public struct Usage: Hashable, Sendable, Decodable {
    public struct PromptDetails: Hashable, Sendable, Decodable {
        public var cachedTokenCount: Int?
        private enum CodingKeys: String, CodingKey { case cachedTokenCount = "cached_tokens" }
    }

    public var promptTokenCount: Int
    public var outputTokenCount: Int
    public var promptDetails: PromptDetails?

    private enum CodingKeys: String, CodingKey {
        case promptTokenCount = "prompt_tokens"
        case outputTokenCount = "completion_tokens"
        case promptDetails = "prompt_tokens_details"
    }

    /// Some servers leave out the count of output tokens when it is zero.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        promptTokenCount = try container.decodeIfPresent(Int.self, forKey: .promptTokenCount) ?? 0
        outputTokenCount = try container.decodeIfPresent(Int.self, forKey: .outputTokenCount) ?? 0
        promptDetails = try container.decodeIfPresent(PromptDetails.self, forKey: .promptDetails)
    }
}

/// Log-probabilities in the shape of OpenAI's chat endpoint. Other shapes read as no `content`.
public struct LogProbabilities: Hashable, Sendable, Decodable {
    public struct Token: Hashable, Sendable, Decodable {
        public var token: String
        /// Nil for a token nothing comes before, such as the first of an echoed prompt.
        public var logprob: Double?
        public var bytes: [UInt8]?
        /// The token's number: Shardline's addition.
        public var id: Int32?
        /// Likeliest first. The entries have none of their own.
        public var top: [Token]

        private enum CodingKeys: String, CodingKey {
            case token, logprob, bytes, id
            case top = "top_logprobs"
        }

        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            token = try container.decode(String.self, forKey: .token)
            logprob = try container.decodeIfPresent(Double.self, forKey: .logprob)
            bytes = try container.decodeIfPresent([UInt8].self, forKey: .bytes)
            id = try container.decodeIfPresent(Int32.self, forKey: .id)
            top = try container.decodeIfPresent([Token].self, forKey: .top) ?? []
        }
    }

    public var content: [Token]?
}

/// One entry of `/v1/models`.
public struct ModelEntry: Hashable, Sendable, Decodable {
    public var id: String
    /// The longest sequence, where the server tells it.
    public var contextLength: Int?

    private enum CodingKeys: String, CodingKey {
        case id
        case contextLength = "max_model_len"
    }
}

struct ModelList: Decodable {
    var data: [ModelEntry]
}
