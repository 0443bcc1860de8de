package import Vocabulary

/// What the stage with the head keeps of a sequence: how to sample and, with penalties, its tokens by position.
package struct TokenHistory: Sendable {
    package let sampling: SamplingParameters
    /// Tokens before this position are the prompt's.
    package let promptTokenCount: Int
    /// From position 0 on; empty without penalties.
    package private(set) var tokens: [TokenID]

    package init(_ introduction: SequenceIntroduction) {
        sampling = introduction.sampling
        promptTokenCount = introduction.promptTokenCount
        tokens = introduction.sampling.usesPenalties ? introduction.earlierTokens : []
    }

    /// Whether rows from `firstPosition` on can follow what is known.
    package func reaches(_ firstPosition: Int) -> Bool {
        !sampling.usesPenalties || firstPosition <= tokens.count
    }

    /// Writes the tokens of rows from `firstPosition` on. What was known from there on is forgotten: those rows are
    /// being run again.
    package mutating func record(_ rows: [TokenID], at firstPosition: Int) {
        guard sampling.usesPenalties, reaches(firstPosition) else { return }
        tokens.removeSubrange(firstPosition...)
        tokens.append(contentsOf: rows)
    }
}
