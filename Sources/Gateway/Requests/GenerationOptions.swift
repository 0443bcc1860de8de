import Vocabulary

/// The fields that completions and chat completions share, checked.
struct GenerationOptions {
    var model: String?
    /// Without `choice` and `topLogprobCount`.
    var sampling: SamplingParameters
    /// How many choices of each prompt.
    var choiceCount: Int
    /// As asked for; nil when nothing was said.
    var outputTokenCountMax: Int?
    var outputTokenCountMin: Int
    var ignoresEnd: Bool
    var stopStrings: [String]
    var includesStopString: Bool
    var streams: Bool
    var includesUsage: Bool
    var reusesPrefix: Bool
    var cacheSalt: String
    /// Who the client says it asks for.
    var user: String
    var priority: Int
    var timeLimit: Instant.Span?

    static let nameByteCountMax = 256
    static let stopStringCountMax = 16
    static let stopStringByteCountMax = 1024
    static let choiceCountMax = 128
    /// Below this a temperature divides logits into infinities; the likeliest token has all the probability anyway.
    static let temperatureMin = 1e-4

    /// - Parameter countFields: the fields that may hold the longest output, the first that is there counts.
    init(_ fields: RequestFields, countFields: [String], countMin: Int) throws(APIError) {
        model = try fields.string("model")
        sampling = try Self.sampling(fields)
        choiceCount = try fields.integer("n", in: 1...Self.choiceCountMax) ?? 1
        if let best = try fields.integer("best_of", in: 1...Self.choiceCountMax), best != choiceCount {
            throw .unsupported("'best_of' must equal 'n': all choices are returned", param: "best_of")
        }
        var count: Int?
        for name in countFields {
            let value = try fields.integer(name, in: countMin...Int(Int32.max))
            count = count ?? value
        }
        outputTokenCountMax = count
        outputTokenCountMin = try fields.integer("min_tokens", in: 0...Int(Int32.max)) ?? 0
        if let count, outputTokenCountMin > count {
            throw .invalid(
                "'min_tokens' is \(outputTokenCountMin) but '\(countFields[0])' only \(count)", param: "min_tokens")
        }
        ignoresEnd = try fields.flag("ignore_eos") ?? false
        stopStrings = try Self.stopStrings(fields)
        includesStopString = try fields.flag("include_stop_str_in_output") ?? false
        streams = try fields.flag("stream") ?? false
        let streamOptions = try fields.value("stream_options", as: StreamOptions.self, "an object")
        if streamOptions != nil, !streams {
            throw .invalid("'stream_options' needs 'stream': true", param: "stream_options")
        }
        includesUsage = streamOptions?.includesUsage ?? false
        reusesPrefix = try fields.flag("cache_prompt") ?? true
        cacheSalt = try fields.string("cache_salt") ?? ""
        guard cacheSalt.utf8.count <= Self.nameByteCountMax else {
            throw .invalid("'cache_salt' has more than \(Self.nameByteCountMax) bytes", param: "cache_salt")
        }
        user = try fields.string("user") ?? ""
        guard user.utf8.count <= Self.nameByteCountMax else {
            throw .invalid("'user' has more than \(Self.nameByteCountMax) bytes", param: "user")
        }
        let priorities = GenerationRequest.priorities
        priority = try fields.integer("priority", in: priorities) ?? 0
        timeLimit = try fields.number("timeout", in: 0.001...86_400).map {
            Instant.Span(nanoseconds: UInt64($0 * 1e9))
        }
        // Of other servers' fields these need nothing done, but must be what they are there.
        _ = try fields.integer("n_probs", in: 0...Int(Int32.max))
        try fields.refuse(Self.unsupportedFields)
    }

    private static let unsupportedFields = [
        "logit_bias", "grammar", "json_schema", "guided_json", "guided_regex", "guided_choice", "guided_grammar",
        "structured_outputs",
    ]

    private static func sampling(_ fields: RequestFields) throws(APIError) -> SamplingParameters {
        var sampling = SamplingParameters()
        let temperature = try fields.number("temperature", in: 0...2) ?? 1
        sampling.temperature = temperature < temperatureMin ? 0 : Float(temperature)
        // An empty set has no token to draw: 0 keeps the likeliest.
        sampling.topP = max(Float(try fields.number("top_p", in: 0...1) ?? 1), .leastNormalMagnitude)
        // Other servers know -1 as another way to say "all".
        sampling.topK = max(0, try fields.integer("top_k", in: -1...Int(Int32.max)) ?? 0)
        sampling.minP = Float(try fields.number("min_p", in: 0...1) ?? 0)
        sampling.repetitionPenalty = Float(try fields.number("repetition_penalty", in: 0.01...10) ?? 1)
        sampling.presencePenalty = Float(try fields.number("presence_penalty", in: -2...2) ?? 0)
        sampling.frequencyPenalty = Float(try fields.number("frequency_penalty", in: -2...2) ?? 0)
        sampling.seed =
            try fields.value("seed", as: Seed.self, "an integer of at most 64 bits")?.value ?? .random(in: 0 ... .max)
        return sampling
    }

    private static func stopStrings(_ fields: RequestFields) throws(APIError) -> [String] {
        let stops = try fields.value("stop", as: OneOrMoreStrings.self, "a string or a list of strings")?.values ?? []
        guard stops.count <= stopStringCountMax else {
            throw .invalid(
                "'stop' has \(stops.count) strings, at most \(stopStringCountMax) are allowed", param: "stop")
        }
        for stop in stops where stop.isEmpty || stop.utf8.count > stopStringByteCountMax {
            throw .invalid("each string of 'stop' must have 1 to \(stopStringByteCountMax) bytes", param: "stop")
        }
        return stops
    }
}

private struct StreamOptions: Decodable {
    let includesUsage: Bool

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder, prefix: "stream_options.", called: "'stream_options'")
        includesUsage = try fields.flag("include_usage") ?? false
    }
}

/// Any integer of 64 bits, with or without sign.
private struct Seed: Decodable {
    let value: UInt64

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let signed = try? container.decode(Int64.self) {
            value = UInt64(bitPattern: signed)
        } else {
            value = try container.decode(UInt64.self)
        }
    }
}

private struct OneOrMoreStrings: Decodable {
    let values: [String]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let one = try? container.decode(String.self) {
            values = [one]
        } else {
            values = try container.decode([String].self)
        }
    }
}
