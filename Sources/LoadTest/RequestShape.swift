/// What a plan's seed and trace decide about one request, before anything is sent.
public struct RequestShape: Hashable, Sendable {
    public var promptTokenCount: Int
    public var outputTokenCount: Int
    /// Which common prefix it begins with; nil: none.
    public var prefixIndex: Int?
    /// Its client goes away after so many chunks of output; nil: it stays. With 0 it goes away right after it has
    /// sent the request.
    public var disconnectOutputCount: Int?
}

extension LoadPlan {
    /// The prompt's length where it is not the trace's; nil for a text.
    public var promptTokenCount: Int? {
        switch prompt {
        case .random(let tokenCount, _), .words(let tokenCount): tokenCount
        case .text: nil
        }
    }

    /// Of request `index` (in a conversation: of all its turns, but for the prompt's length).
    public func shape(ofRequest index: Int) -> RequestShape {
        var shape = RequestShape(promptTokenCount: promptTokenCount ?? 0, outputTokenCount: outputTokenCount)
        if !trace.isEmpty {
            let row = trace[index % trace.count]
            shape.promptTokenCount = scaled(row.promptTokenCount, max: promptTokenCountMax)
            shape.outputTokenCount = scaled(row.outputTokenCount, max: traceOutputTokenCountMax)
        }
        var random = RandomStream.shape(request: index).generator(seed: seed)
        // All are drawn always: a share of another size changes no other request.
        let (prefixChance, disconnectChance) = (random.nextUnit(), random.nextUnit())
        let (prefixDraw, disconnectDraw) = (random.next(), random.next())
        if let sharedPrefix, prefixChance < sharedPrefix.share {
            shape.prefixIndex = Int(prefixDraw % UInt64(max(sharedPrefix.prefixCount, 1)))
        }
        if disconnectChance < disconnectShare {
            shape.disconnectOutputCount = Int(disconnectDraw % UInt64(max(shape.outputTokenCount, 1)))
        }
        return shape
    }

    /// At least one token: servers refuse empty prompts and answers.
    private func scaled(_ count: Int, max limit: Int) -> Int {
        max(1, min(limit, Int(min(Double(count) * lengthScale, 1e9).rounded())))
    }

    /// Between turn `turn - 1` and turn `turn` (from 0) of conversation `index`.
    public func thinkNanoseconds(ofRequest index: Int, turn: Int) -> UInt64 {
        guard let conversation, conversation.thinkSeconds > 0 else { return 0 }
        var random = RandomStream.thinking(request: index, turn: turn).generator(seed: seed)
        return UInt64(min(conversation.thinkSeconds * random.nextExponential() * 1e9, 1e18))
    }
}
