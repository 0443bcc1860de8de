/// How a completion is generated: the fields that both endpoints share. Nil leaves a field to the server.
///
/// `topK`, `minP`, `repetitionPenalty`, `ignoresEnd` and `outputTokenCountMin` are extensions that vLLM, llama.cpp
/// and Shardline know.
public struct GenerationOptions: Hashable, Sendable, Encodable {
    public var outputTokenCountMax: Int?
    public var outputTokenCountMin: Int?
    public var temperature: Double?
    public var topP: Double?
    public var topK: Int?
    public var minP: Double?
    public var repetitionPenalty: Double?
    public var presencePenalty: Double?
    public var frequencyPenalty: Double?
    public var seed: UInt64?
    public var stop: [String]?
    /// Choices for each prompt.
    public var choiceCount: Int?
    public var ignoresEnd: Bool?

    public init() {}

    private enum CodingKeys: String, CodingKey {
        case outputTokenCountMax = "max_tokens"
        case outputTokenCountMin = "min_tokens"
        case temperature
        case topP = "top_p"
        case topK = "top_k"
        case minP = "min_p"
        case repetitionPenalty = "repetition_penalty"
        case presencePenalty = "presence_penalty"
        case frequencyPenalty = "frequency_penalty"
        case seed
        case stop
        case choiceCount = "n"
        case ignoresEnd = "ignore_eos"
    }
}

/// `stream` and `stream_options` of a request.
enum StreamKeys: String, CodingKey {
    case stream
    case streamOptions = "stream_options"

    struct Options: Encodable {
        var includesUsage = true
        enum CodingKeys: String, CodingKey { case includesUsage = "include_usage" }
    }

    /// Asks for a stream that ends with a usage chunk.
    static func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: StreamKeys.self)
        try container.encode(true, forKey: .stream)
        try container.encode(Options(), forKey: .streamOptions)
    }
}
