/// How the next token is chosen from the logits. All fields are checked where a request enters (the gateway);
/// the defaults choose the likeliest token.
public struct SamplingParameters: Hashable, Sendable {
    /// 0 takes the likeliest token (ties: the lowest id); above 0 divides the logits before the softmax.
    public var temperature: Float = 0
    /// Keep the `topK` likeliest tokens; 0 keeps all.
    public var topK: Int = 0
    /// Keep the smallest set of likeliest tokens whose probabilities add up to at least `topP`; 1 keeps all.
    public var topP: Float = 1
    /// Drop tokens less likely than `minP` times the likeliest; 0 drops none.
    public var minP: Float = 0
    /// Divides positive and multiplies negative logits of tokens seen in prompt or output; 1 changes nothing.
    public var repetitionPenalty: Float = 1
    /// Subtracted once from the logit of every token in the output so far.
    public var presencePenalty: Float = 0
    /// Subtracted from a token's logit for each time it stands in the output so far.
    public var frequencyPenalty: Float = 0
    /// Key of the counter-based random numbers, together with the choice and the position.
    public var seed: UInt64 = 0
    /// Which of a request's `n` choices this is: choices differ in their random numbers only.
    public var choice: UInt32 = 0
    /// How many of the likeliest tokens are reported beside each chosen one; nil reports no log-probabilities.
    public var topLogprobCount: Int?

    public init() {}

    /// Whether any penalty needs the tokens seen so far.
    public var usesPenalties: Bool {
        repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0
    }

    /// The largest `topLogprobCount`.
    public static let topLogprobCountMax = 20
}
