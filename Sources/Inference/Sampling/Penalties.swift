package import Vocabulary

/// Repetition, frequency and presence penalties on the logits of tokens seen before.
///
/// Of a token seen in prompt or output, a positive logit is divided and a negative one multiplied by the repetition
/// penalty (Keskar et al., "CTRL", 2019); then, if it stands n > 0 times in the output, n times the frequency penalty
/// and once the presence penalty are subtracted (OpenAI's API). Each rounded once, in this order.
package enum Penalties {
    /// Above the counted bits: the token was seen at all.
    private static let seen: UInt32 = 1 << 31

    /// Changes `logits` and notes what stood there in `scratch.changes`.
    static func apply(_ history: TokenHistory, to logits: UnsafeMutablePointer<Float>, scratch: SamplerScratch) {
        let tokens = history.tokens
        scratch.withCounters { counters in
            for token in tokens { counters[Int(token)] = 0 }
            for (position, token) in tokens.enumerated() {
                counters[Int(token)] = (counters[Int(token)] + (position >= history.promptTokenCount ? 1 : 0)) | seen
            }
            for token in tokens where counters[Int(token)] & seen != 0 {
                let outputCount = counters[Int(token)] & ~seen
                counters[Int(token)] = 0  // each token once
                scratch.changes.append((Int(token), logits[Int(token)]))
                logits[Int(token)] = penalised(
                    logits[Int(token)], outputCount: outputCount, sampling: history.sampling)
            }
        }
    }

    package static func penalised(_ logit: Float, outputCount: UInt32, sampling: SamplingParameters) -> Float {
        var logit = logit
        if sampling.repetitionPenalty != 1 {
            logit = logit > 0 ? logit / sampling.repetitionPenalty : logit * sampling.repetitionPenalty
        }
        if outputCount > 0 {
            logit -= Float(outputCount) * sampling.frequencyPenalty
            logit -= sampling.presencePenalty
        }
        return logit
    }
}
