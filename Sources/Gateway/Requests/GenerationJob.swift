import Foundation
import Models
import Vocabulary

/// A checked request, ready to be served: one generation for each choice of each prompt.
struct GenerationJob: Sendable {
    enum Endpoint: Sendable {
        case completion
        case chat
    }
    struct Choice: Sendable {
        var request: GenerationRequest
        /// The prompt's text, when it is given back before the output.
        var echo: String?
        /// Choices of one prompt share its tokens: only the first counts them as used.
        var isFirstOfPrompt: Bool
    }

    let endpoint: Endpoint
    /// Nobody can guess it, and no other request has it.
    let id: String
    /// Seconds since 1970.
    let created: Int
    let model: ServedModel
    /// Choice c of prompt p is number p * n + c, which is its index in the answer.
    private(set) var choices: [Choice]
    let streams: Bool
    let includesUsage: Bool
    let reportsLogprobs: Bool
    /// `max_tokens` was 0: only the prompt is wanted, with its scores.
    let discardsOutput: Bool

    init(_ body: CompletionRequest, catalog: ModelCatalog, generationCountMax: Int) throws(APIError) {
        let model = try catalog.model(named: body.options.model)
        let discards = body.options.outputTokenCountMax == 0
        var template = body.options.request(model: model.profile.name, topLogprobCount: body.topLogprobCount)
        template.scoresPrompt = body.echoes && body.topLogprobCount != nil
        if discards { template.outputTokenCountMax = 1 }
        guard body.prompts.count <= generationCountMax / body.options.choiceCount else {
            throw .invalid(
                "\(body.prompts.count) prompts with n = \(body.options.choiceCount) are more than the "
                    + "\(generationCountMax) generations a request may ask for", param: "prompt")
        }
        var choices: [Choice] = []
        for (index, prompt) in body.prompts.enumerated() {
            let name = body.prompts.count == 1 ? "prompt" : "prompt[\(index)]"
            var request = template
            request.prompt = try model.tokens(of: prompt, param: name)
            try model.fit(&request, param: name)
            var echo: String?
            if body.echoes {
                switch prompt {
                case .text(let text): echo = text
                case .tokens: echo = model.text.decode(request.prompt)
                }
            }
            choices += Self.choices(of: request, count: body.options.choiceCount, echo: echo)
        }
        self.init(
            .completion, model: model, choices: choices, options: body.options,
            reportsLogprobs: body.topLogprobCount != nil, discardsOutput: discards)
    }

    init(_ body: ChatRequest, catalog: ModelCatalog, generationCountMax: Int) throws(APIError) {
        let model = try catalog.model(named: body.options.model)
        guard body.options.choiceCount <= generationCountMax else {
            throw .invalid("'n' is above \(generationCountMax)", param: "n")
        }
        if let refusal = model.text.codec.chatRefusal {
            throw .invalid(
                "model '\(model.profile.name)' cannot chat: \(refusal); use /v1/completions", param: "model")
        }
        var request = body.options.request(model: model.profile.name, topLogprobCount: body.topLogprobCount)
        let byteCount = body.messages.reduce(0) { $0 + $1.content.utf8.count }
        try model.checkTextByteCount(byteCount, param: "messages")
        do {
            request.prompt = try model.text.codec.encode(messages: body.messages)
        } catch {
            throw .invalid("the messages do not fit the model's chat template: \(error)", param: "messages")
        }
        try model.fit(&request, param: "messages")
        self.init(
            .chat, model: model, choices: Self.choices(of: request, count: body.options.choiceCount, echo: nil),
            options: body.options, reportsLogprobs: body.topLogprobCount != nil, discardsOutput: false)
    }

    private init(
        _ endpoint: Endpoint, model: ServedModel, choices: [Choice], options: GenerationOptions, reportsLogprobs: Bool,
        discardsOutput: Bool
    ) {
        self.endpoint = endpoint
        id = (endpoint == .chat ? "chatcmpl-" : "cmpl-") + Self.unguessableName()
        created = Int(Date().timeIntervalSince1970)
        self.model = model
        self.choices = choices
        streams = options.streams
        includesUsage = options.includesUsage
        self.reportsLogprobs = reportsLogprobs
        self.discardsOutput = discardsOutput
    }

    /// Clients with different keys are different tenants, and share no cached prefixes.
    mutating func setKey(_ key: String) {
        guard !key.isEmpty else { return }
        for index in choices.indices {
            choices[index].request.tenant = "\(key)\u{0}\(choices[index].request.tenant)"
            choices[index].request.cacheSalt = "\(key)\u{0}\(choices[index].request.cacheSalt)"
        }
    }

    private static func choices(of request: GenerationRequest, count: Int, echo: String?) -> [Choice] {
        (0..<count).map { number in
            var choice = Choice(request: request, echo: echo, isFirstOfPrompt: number == 0)
            choice.request.sampling.choice = UInt32(number)
            return choice
        }
    }

    /// 128 bits of the system's random numbers.
    private static func unguessableName() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(UInt64.random(in: 0 ... .max, using: &generator), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}

extension GenerationOptions {
    /// A generation with these options, its prompt still empty.
    fileprivate func request(model: String, topLogprobCount: Int?) -> GenerationRequest {
        var sampling = sampling
        sampling.topLogprobCount = topLogprobCount
        var request = GenerationRequest(
            model: model, prompt: [], sampling: sampling, outputTokenCountMax: outputTokenCountMax,
            outputTokenCountMin: outputTokenCountMin, ignoresEnd: ignoresEnd, stopStrings: stopStrings,
            includesStopString: includesStopString)
        request.reusesPrefix = reusesPrefix
        request.cacheSalt = cacheSalt
        request.tenant = user
        request.priority = priority
        request.timeLimit = timeLimit
        return request
    }
}
