/// One pass of a micro-batch through a pipeline: rows of several sequences, prompt chunks and single
/// decode tokens mixed. Running any suffix of steps again gives the same result: rows name their positions.
public struct Step: Hashable, Sendable {
    public var pipeline: PipelineID
    public var epoch: Epoch
    public var number: StepNumber
    /// In the order in which their rows lie in the hidden states: all rows of the first, then of the second...
    public var sequences: [SequenceRows]
    /// Sequences that are over: a stage forgets their block lists and tokens before it runs this step.
    public var ended: [SequenceID]
    /// How long each stage so far has computed the step.
    public var stageNanoseconds: [UInt64] = []
    /// How long it waited at the stages so far for its turn, all together.
    public var waitedNanoseconds: UInt64 = 0

    public init(
        pipeline: PipelineID, epoch: Epoch, number: StepNumber, sequences: [SequenceRows], ended: [SequenceID] = []
    ) {
        self.pipeline = pipeline
        self.epoch = epoch
        self.number = number
        self.sequences = sequences
        self.ended = ended
    }

    public var rowCount: Int { sequences.reduce(0) { $0 + $1.tokens.count } }
}

/// The rows of one sequence in a step: consecutive positions from `firstPosition`.
public struct SequenceRows: Hashable, Sendable {
    public var sequence: SequenceID
    public var firstPosition: Int
    /// One per row.
    public var tokens: [TokenID]
    /// Where `blocks` goes in the sequence's list of blocks; what stood there before is replaced.
    public var firstBlockIndex: Int
    /// Blocks that are new since the sequence's last step; the list then covers the positions of this step's rows.
    public var blocks: [BlockID]
    /// Sample a token after the last row.
    public var samples: Bool
    /// Report, for each row, the log-probability of the token that follows it in the prompt.
    public var scores: Bool
    /// With `scores`: the prompt's token after the last row, if the prompt goes on.
    public var followingToken: TokenID?
    /// End-of-generation tokens may not be sampled (a minimum length is not reached).
    public var suppressesEnd: Bool
    /// Set on a sequence's first rows of an epoch: what a stage must know to sample for it.
    public var introduction: SequenceIntroduction?

    public init(
        sequence: SequenceID, firstPosition: Int, tokens: [TokenID], firstBlockIndex: Int = 0, blocks: [BlockID] = [],
        samples: Bool = false, scores: Bool = false, followingToken: TokenID? = nil, suppressesEnd: Bool = false,
        introduction: SequenceIntroduction? = nil
    ) {
        self.sequence = sequence
        self.firstPosition = firstPosition
        self.tokens = tokens
        self.firstBlockIndex = firstBlockIndex
        self.blocks = blocks
        self.samples = samples
        self.scores = scores
        self.followingToken = followingToken
        self.suppressesEnd = suppressesEnd
        self.introduction = introduction
    }
}

/// What the last stage must know of a sequence to sample for it.
public struct SequenceIntroduction: Hashable, Sendable {
    public var sampling: SamplingParameters
    /// Tokens before this position are the prompt's; presence and frequency penalties count those after.
    public var promptTokenCount: Int
    /// With penalties, the sequence's tokens before the step's `firstPosition`; else empty.
    public var earlierTokens: [TokenID]

    public init(sampling: SamplingParameters, promptTokenCount: Int, earlierTokens: [TokenID] = []) {
        self.sampling = sampling
        self.promptTokenCount = promptTokenCount
        self.earlierTokens = earlierTokens
    }
}

/// What the last stage reports of a step.
public struct StepResult: Hashable, Sendable {
    public var pipeline: PipelineID
    public var epoch: Epoch
    public var number: StepNumber
    /// One per sequence of the step that samples or scores, in the step's order.
    public var outputs: [SequenceOutput]
    /// How long each stage has computed the step; empty when they did not tell.
    public var stageNanoseconds: [UInt64] = []
    /// How long it waited at the stages for its turn, all together.
    public var waitedNanoseconds: UInt64 = 0

    public init(pipeline: PipelineID, epoch: Epoch, number: StepNumber, outputs: [SequenceOutput]) {
        self.pipeline = pipeline
        self.epoch = epoch
        self.number = number
        self.outputs = outputs
    }
}

public struct SequenceOutput: Hashable, Sendable {
    public var sequence: SequenceID
    /// For rows that score: one per prompt token that follows one of the rows, in order.
    public var scored: [TokenScore]
    public var sampled: TokenScore?
    /// The logits of this sequence were not finite: its request fails, the others go on.
    public var isNotFinite: Bool

    public init(
        sequence: SequenceID, scored: [TokenScore] = [], sampled: TokenScore? = nil, isNotFinite: Bool = false
    ) {
        self.sequence = sequence
        self.scored = scored
        self.sampled = sampled
        self.isNotFinite = isNotFinite
    }
}

/// A token at a position with its natural-log probability and, when asked for, the likeliest tokens there.
///
/// Log-probabilities are those of the model: the log-softmax of the raw logits, before temperature and penalties.
public struct TokenScore: Hashable, Sendable {
    public var token: TokenID
    public var position: Int
    /// 0 when no log-probabilities were asked for.
    public var logprob: Float
    /// Likeliest first; ties in order of id.
    public var top: [RankedToken]

    public init(token: TokenID, position: Int, logprob: Float = 0, top: [RankedToken] = []) {
        self.token = token
        self.position = position
        self.logprob = logprob
        self.top = top
    }
}

public struct RankedToken: Hashable, Sendable {
    public var token: TokenID
    public var logprob: Float
    public init(token: TokenID, logprob: Float) {
        self.token = token
        self.logprob = logprob
    }
}

/// A step as a stage computes it: with the whole block list of each of its sequences, in the step's order.
public struct StageBatch: Hashable, Sendable {
    public var step: Step
    public var blocks: [[BlockID]]

    public init(step: Step, blocks: [[BlockID]]) {
        self.step = step
        self.blocks = blocks
    }
}
