public import OpenAIClient

/// One request of a load test.
public struct LoadRequest: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case scheduled
        /// Of `LoadPlan.injections`.
        case injected
    }

    /// Of the request, its conversation, or the injection.
    public var index: Int
    /// Of the conversation, from 0.
    public var turn = 0
    public var kind = Kind.scheduled
    public var plan: LoadPlan
    public var shape: RequestShape
    /// What was said in the turns before.
    public var history: [ChatRequest.Message] = []

    public init(index: Int, plan: LoadPlan) {
        self.index = index
        self.plan = plan
        shape = plan.shape(ofRequest: index)
    }

    /// A long prompt of `LoadPlan.injections`.
    public init(injection index: Int, plan: LoadPlan) {
        self.index = index
        self.plan = plan
        kind = .injected
        shape = RequestShape(
            promptTokenCount: plan.injections[index].promptTokenCount, outputTokenCount: plan.outputTokenCount)
    }

    /// The turn after this one: `plan.conversation` says how long it is.
    public func following(answer: String) -> LoadRequest {
        var next = self
        next.turn = turn + 1
        next.history = messages + [ChatRequest.Message(role: "assistant", content: answer)]
        next.shape.promptTokenCount = plan.conversation?.turnTokenCount ?? shape.promptTokenCount
        next.shape.prefixIndex = nil
        return next
    }

    /// Of the request, in messages and files: `12`, `12.1` for a later turn, `injected-0`.
    public var name: String {
        switch kind {
        case .injected: "injected-\(index)"
        case .scheduled: turn == 0 ? "\(index)" : "\(index).\(turn)"
        }
    }

    /// Ids below this are left out where the vocabulary allows it: control tokens and single bytes come first.
    private static let firstTokenID: Int32 = 1000

    public var options: GenerationOptions {
        var options = GenerationOptions()
        options.outputTokenCountMax = shape.outputTokenCount
        options.temperature = plan.temperature
        if plan.temperature > 0 { options.seed = plan.seed &+ UInt64(index) }
        if plan.ignoresEnd { options.ignoresEnd = true }
        return options
    }

    /// For `/v1/completions`.
    public var completion: CompletionRequest {
        CompletionRequest(model: plan.model, prompt: prompt, options: options)
    }

    /// For `/v1/chat/completions`.
    public var chat: ChatRequest {
        ChatRequest(model: plan.model, messages: messages, options: options)
    }

    // MARK: - Prompts

    private var randomStream: RandomStream {
        switch kind {
        case .scheduled: .prompt(request: index, turn: turn)
        case .injected: .injection(index)
        }
    }

    /// Of the common prefix, out of `promptCount` tokens or words of which the last is the request's own.
    private func prefixCount(promptCount: Int) -> Int {
        guard shape.prefixIndex != nil, let sharedPrefix = plan.sharedPrefix else { return 0 }
        return min(sharedPrefix.tokenCount, max(promptCount - 1, 0))
    }

    private var prompt: CompletionRequest.Prompt {
        switch plan.prompt {
        case .text(let text) where kind == .scheduled: return .text(text)
        case .random(_, let vocabularySize):
            let prefixCount = prefixCount(promptCount: shape.promptTokenCount)
            var tokens: [Int32] = []
            tokens.reserveCapacity(shape.promptTokenCount)
            func append(_ count: Int, from stream: RandomStream) {
                var random = stream.generator(seed: plan.seed)
                let end = Int32(clamping: max(vocabularySize, 1))
                let first = min(Self.firstTokenID, end / 2)
                for _ in 0..<count { tokens.append(Int32.random(in: first..<end, using: &random)) }
            }
            if let index = shape.prefixIndex { append(prefixCount, from: .prefix(index)) }
            append(shape.promptTokenCount - prefixCount, from: randomStream)
            return .tokens(tokens)
        case .text, .words:
            let (prefix, own) = words
            return .text(prefix.isEmpty ? own : prefix + " " + own)
        }
    }

    /// A common prefix is the system's message, the rest the user's.
    private var messages: [ChatRequest.Message] {
        if case .text(let text) = plan.prompt, kind == .scheduled, turn == 0 {
            return [ChatRequest.Message(role: "user", content: text)]
        }
        let (prefix, own) = words
        var messages = history
        if !prefix.isEmpty { messages.append(ChatRequest.Message(role: "system", content: prefix)) }
        messages.append(ChatRequest.Message(role: "user", content: own))
        return messages
    }

    private var words: (prefix: String, own: String) {
        // Turns after the first only add words: the template's share was counted before.
        let total =
            turn == 0 ? plan.calibration.wordCount(tokenCount: shape.promptTokenCount) : shape.promptTokenCount
        let prefixCount = prefixCount(promptCount: total)
        var prefix = ""
        if let index = shape.prefixIndex {
            var random = RandomStream.prefix(index).generator(seed: plan.seed)
            prefix = LoadWords.text(count: prefixCount, using: &random)
        }
        var random = randomStream.generator(seed: plan.seed)
        return (prefix, LoadWords.text(count: total - prefixCount, using: &random))
    }
}
