import Vocabulary

/// What a node's shell holds of a stage: the rows of each layer by block id, and the tokens of sequences.
struct SimulatedStage {
    let assignment: StageAssignment
    let model: SimulatedModel
    /// Element [layer][block id * 32 + position in the block].
    private var rows: [[UInt64]]
    private var histories: [SequenceID: [TokenID]] = [:]
    private var introductions: [SequenceID: SequenceIntroduction] = [:]

    /// An empty pool has rows of nobody in it.
    init(_ assignment: StageAssignment, model: SimulatedModel) {
        self.assignment = assignment
        self.model = model
        rows = assignment.units.layers.map { layer in
            Array(repeating: UInt64(layer), count: assignment.blockCount * BlockID.positionCount)
        }
    }

    /// - Parameter input: a row each, of the stage before.
    /// - Returns: a row each, or outputs when this stage has the head.
    mutating func run(_ batch: StageBatch, input: [UInt64]?) -> (hidden: [UInt64], outputs: [SequenceOutput]) {
        for sequence in batch.step.ended {
            histories[sequence] = nil
            introductions[sequence] = nil
        }
        var result: [UInt64] = []
        var outputs: [SequenceOutput] = []
        for (sequence, blocks) in zip(batch.step.sequences, batch.blocks) {
            if let introduction = sequence.introduction {
                introductions[sequence.sequence] = introduction
                histories[sequence.sequence] = introduction.earlierTokens
            }
            var hidden: [UInt64] = []
            for (offset, token) in sequence.tokens.enumerated() {
                let position = sequence.firstPosition + offset
                let embedded =
                    input.map { $0[result.count + offset] }
                    ?? SimulatedModel.embed(token, position: position)
                hidden.append(run(embedded, position: position, blocks))
            }
            if assignment.units.hasHead, let output = output(of: sequence, hidden) { outputs.append(output) }
            result += hidden
        }
        return (result, outputs)
    }

    private mutating func run(_ input: UInt64, position: Int, _ blocks: [BlockID]) -> UInt64 {
        var hidden = input
        let own =
            Int(blocks[position / BlockID.positionCount].rawValue) * BlockID.positionCount
            + position % BlockID.positionCount
        for layer in rows.indices {
            rows[layer][own] = hidden
            var hash: UInt64 = 0
            var remaining = position + 1
            rows[layer].withUnsafeBufferPointer { held in
                for block in blocks where remaining > 0 {
                    let start = Int(block.rawValue) * BlockID.positionCount
                    for index in start..<(start + min(remaining, BlockID.positionCount)) {
                        hash = SimulatedModel.fold(hash, held[index])
                    }
                    remaining -= BlockID.positionCount
                }
            }
            hidden = hash
        }
        return hidden
    }

    private mutating func output(of rows: SequenceRows, _ hidden: [UInt64]) -> SequenceOutput? {
        guard let introduction = introductions[rows.sequence] else { return nil }
        let sampling = introduction.sampling
        let history = Array((histories[rows.sequence] ?? []).prefix(rows.firstPosition)) + rows.tokens
        histories[rows.sequence] = history
        var output = SequenceOutput(sequence: rows.sequence)
        if rows.scores {
            let following = rows.tokens.dropFirst() + (rows.followingToken.map { [$0] } ?? [])
            for (offset, token) in following.enumerated() {
                let position = rows.firstPosition + offset + 1
                output.scored.append(SimulatedModel.score(hidden[offset], token: token, position: position, sampling))
            }
        }
        if rows.samples, let last = hidden.last {
            output.sampled = model.sample(
                last, position: rows.firstPosition + rows.tokens.count, tokens: history,
                promptTokenCount: introduction.promptTokenCount, suppressesEnd: rows.suppressesEnd, sampling)
        }
        return rows.samples || rows.scores ? output : nil
    }
}
