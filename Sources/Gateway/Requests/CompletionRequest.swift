/// The body of `POST /v1/completions`, checked as far as it can be without a model.
struct CompletionRequest: Decodable {
    var options: GenerationOptions
    var prompts: [Prompt]
    /// How many of the likeliest tokens to report beside each; nil reports no log-probabilities.
    var topLogprobCount: Int?
    /// Give the prompt back before the output.
    var echoes: Bool

    enum Prompt {
        case text(String)
        case tokens([Int])
    }

    /// OpenAI's default for `max_tokens`.
    static let defaultOutputTokenCountMax = 16

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        options = try GenerationOptions(fields, countFields: ["max_tokens"], countMin: 0)
        options.outputTokenCountMax = options.outputTokenCountMax ?? Self.defaultOutputTokenCountMax
        topLogprobCount = try fields.integer("logprobs", in: 0...20)
        echoes = try fields.flag("echo") ?? false
        try fields.refuse(["suffix"])
        guard let prompts = try fields.value("prompt", as: Prompts.self, Prompts.expected)?.prompts else {
            throw APIError.invalid("'prompt' is missing; it must be \(Prompts.expected)", param: "prompt")
        }
        guard !prompts.isEmpty else { throw APIError.invalid("'prompt' is an empty list", param: "prompt") }
        self.prompts = prompts
        if options.outputTokenCountMax == 0, !echoes {
            throw APIError.invalid("'max_tokens' must be at least 1, or 'echo' be true", param: "max_tokens")
        }
        if options.outputTokenCountMin > options.outputTokenCountMax ?? 0 {
            throw APIError.invalid("'min_tokens' is above 'max_tokens'", param: "min_tokens")
        }
    }
}

private struct Prompts: Decodable {
    let prompts: [CompletionRequest.Prompt]

    static let expected = "a string, a list of strings, a list of token ids or a list of such lists"

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            prompts = [.text(text)]
        } else if let texts = try? container.decode([String].self) {
            prompts = texts.map { .text($0) }
        } else if let tokens = try? container.decode([Int].self) {
            prompts = [.tokens(tokens)]
        } else {
            prompts = try container.decode([[Int]].self).map { .tokens($0) }
        }
    }
}
