/// How a server counts prompts of words: tokens = `overheadTokenCount` + `tokensPerWord` x words.
public struct PromptCalibration: Hashable, Sendable {
    /// What a chat template adds, and a beginning-of-sequence token.
    public var overheadTokenCount: Double
    public var tokensPerWord: Double

    public static let oneTokenPerWord = PromptCalibration(overheadTokenCount: 0, tokensPerWord: 1)

    public init(overheadTokenCount: Double, tokensPerWord: Double) {
        self.overheadTokenCount = overheadTokenCount
        self.tokensPerWord = tokensPerWord
    }

    /// The line through two measured prompts; nil when they contradict it (a tokenizer that is none, no counts).
    public init?(
        shortWordCount: Int, shortTokenCount: Int, longWordCount: Int, longTokenCount: Int
    ) {
        guard longWordCount > shortWordCount, shortTokenCount > 0, longTokenCount > shortTokenCount else { return nil }
        tokensPerWord = Double(longTokenCount - shortTokenCount) / Double(longWordCount - shortWordCount)
        overheadTokenCount = Double(shortTokenCount) - tokensPerWord * Double(shortWordCount)
        guard (0.1...20).contains(tokensPerWord) else { return nil }
        // Words at the beginning and the end of a text may count otherwise; less than nothing is never added.
        overheadTokenCount = max(overheadTokenCount, 0)
    }

    /// How many words make a prompt of about `tokenCount` tokens: at least one.
    public func wordCount(tokenCount: Int) -> Int {
        max(1, Int(((Double(tokenCount) - overheadTokenCount) / tokensPerWord).rounded()))
    }
}
