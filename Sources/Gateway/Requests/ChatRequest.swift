import Models

/// The body of `POST /v1/chat/completions`, checked as far as it can be without a model.
struct ChatRequest: Decodable {
    var options: GenerationOptions
    var messages: [ChatMessage]
    /// How many of the likeliest tokens to report beside each; nil reports no log-probabilities.
    var topLogprobCount: Int?

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder)
        options = try GenerationOptions(
            fields, countFields: ["max_completion_tokens", "max_tokens"], countMin: 1)
        let reportsLogprobs = try fields.flag("logprobs") ?? false
        let topCount = try fields.integer("top_logprobs", in: 0...20)
        if topCount != nil, !reportsLogprobs {
            throw APIError.invalid("'top_logprobs' needs 'logprobs': true", param: "top_logprobs")
        }
        topLogprobCount = reportsLogprobs ? topCount ?? 0 : nil
        try fields.refuse(["tools", "functions", "audio", "web_search_options"])
        try Self.checkToolChoice(fields)
        if let format = try fields.value("response_format", as: ResponseFormat.self, "an object"), format.type != "text"
        {
            throw APIError.unsupported(
                "'response_format' \"\(format.type)\" is not supported; leave it out or use \"text\"",
                param: "response_format")
        }
        if let modalities = try fields.value("modalities", as: [String].self, "a list of strings"),
            modalities.contains(where: { $0 != "text" })
        {
            throw APIError.unsupported("'modalities' other than \"text\" are not supported", param: "modalities")
        }
        guard let messages = try fields.value("messages", as: MessageList.self, "a list of messages")?.messages else {
            throw APIError.invalid("'messages' is missing; it must be a list of messages", param: "messages")
        }
        guard !messages.isEmpty else { throw APIError.invalid("'messages' is an empty list", param: "messages") }
        self.messages = messages
    }

    /// Without tools to choose from, only a choice that wants none or leaves it to the model can be kept.
    private static func checkToolChoice(_ fields: RequestFields) throws(APIError) {
        for name in ["tool_choice", "function_call"] where fields.holdsSomething(name) {
            let choice = try? fields.string(name)
            guard choice == "none" || choice == "auto" else {
                throw .unsupported("'\(name)' is not supported; leave it out", param: name)
            }
        }
    }
}

private struct ResponseFormat: Decodable {
    let type: String

    init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder, prefix: "response_format.", called: "'response_format'")
        type = try fields.string("type") ?? "text"
    }
}
