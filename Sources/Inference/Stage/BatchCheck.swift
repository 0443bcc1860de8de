import Vocabulary

/// Checks a batch against a stage before anything of it is computed: all that a stage uses as an index or a length
/// comes
/// from another machine.
struct BatchCheck {
    let rowCountMax: Int
    let blockCount: Int
    let positionCountMax: Int
    let vocabularySize: Int
    /// Whether the stage samples, and so keeps histories.
    let hasHead: Bool

    /// What a check has seen. Its storage is used again: a step allocates nothing.
    struct Seen {
        fileprivate var sequences: Set<SequenceID> = []
        fileprivate var writtenBlocks: Set<BlockID> = []
    }

    /// - Parameter history: what is known of a sequence.
    /// - Returns: the rows of the batch.
    func rowCount(
        of batch: StageBatch, seen: inout Seen, history: (SequenceID) -> TokenHistory?
    ) throws(InferenceError) -> Int {
        let sequences = batch.step.sequences
        guard batch.blocks.count == sequences.count else {
            throw invalid("\(batch.blocks.count) block lists for \(sequences.count) sequences")
        }
        let ended = Set(batch.step.ended)
        seen.sequences.removeAll(keepingCapacity: true)
        seen.writtenBlocks.removeAll(keepingCapacity: true)
        var rowCount = 0
        for (rows, blocks) in zip(sequences, batch.blocks) {
            guard seen.sequences.insert(rows.sequence).inserted else {
                throw invalid("sequence \(rows.sequence) stands in the step twice")
            }
            rowCount += rows.tokens.count
            guard rowCount <= rowCountMax else {
                throw invalid("the step has more than the \(rowCountMax) rows this stage was made for")
            }
            try checkRows(rows)
            try checkBlocks(rows, blocks, &seen.writtenBlocks)
            if hasHead {
                try checkHistory(rows, known: ended.contains(rows.sequence) ? nil : history(rows.sequence))
            }
        }
        return rowCount
    }

    private func checkRows(_ rows: SequenceRows) throws(InferenceError) {
        guard !rows.tokens.isEmpty else { throw invalid("sequence \(rows.sequence) has no rows") }
        guard rows.firstPosition >= 0, rows.firstPosition <= positionCountMax - rows.tokens.count else {
            throw invalid(
                "sequence \(rows.sequence) has \(rows.tokens.count) rows from position \(rows.firstPosition)"
                    + "; this stage "
                    + "holds positions below \(positionCountMax)")
        }
        try checkTokens(rows.tokens, of: rows.sequence)
        if let token = rows.followingToken { try checkTokens([token], of: rows.sequence) }
    }

    private func checkTokens(_ tokens: [TokenID], of sequence: SequenceID) throws(InferenceError) {
        for token in tokens where token < 0 || Int(token) >= vocabularySize {
            throw invalid("token \(token) of sequence \(sequence) is outside the vocabulary of \(vocabularySize)")
        }
    }

    private func checkBlocks(
        _ rows: SequenceRows, _ blocks: [BlockID], _ written: inout Set<BlockID>
    ) throws(InferenceError) {
        let last = rows.firstPosition + rows.tokens.count - 1
        let needed = last / BlockID.positionCount + 1
        guard blocks.count >= needed else {
            throw invalid(
                "sequence \(rows.sequence) has \(blocks.count) blocks; its rows up to position \(last) need \(needed)")
        }
        for block in blocks where Int(block.rawValue) >= blockCount {
            throw invalid("block \(block) of sequence \(rows.sequence) is not one of the \(blockCount) of this stage")
        }
        for index in rows.firstPosition / BlockID.positionCount..<needed {
            guard written.insert(blocks[index]).inserted else {
                throw invalid("block \(blocks[index]) would be written for two places at once")
            }
        }
    }

    private func checkHistory(_ rows: SequenceRows, known: TokenHistory?) throws(InferenceError) {
        if let introduction = rows.introduction {
            guard introduction.sampling.usesPenalties else { return }
            try checkTokens(introduction.earlierTokens, of: rows.sequence)
            guard introduction.earlierTokens.count == rows.firstPosition else {
                throw invalid(
                    "sequence \(rows.sequence) is introduced with \(introduction.earlierTokens.count) tokens before "
                        + "position \(rows.firstPosition)")
            }
        } else if let known {
            guard known.reaches(rows.firstPosition) else {
                throw invalid(
                    "sequence \(rows.sequence) goes on at position \(rows.firstPosition), but its"
                        + " tokens are known only up "
                        + "to \(known.tokens.count)")
            }
        } else if rows.samples || rows.scores {
            throw invalid("sequence \(rows.sequence) is to be sampled, but was not introduced")
        }
    }

    private func invalid(_ message: String) -> InferenceError { InferenceError(.invalidBatch, message) }
}
