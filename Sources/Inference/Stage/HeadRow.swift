import Vocabulary

/// A row whose logits are wanted.
struct HeadRow {
    /// Of the sequence in the step.
    let sequenceIndex: Int
    /// Of the row in the step.
    let rowIndex: Int
    /// Of the token that the logits are about.
    let position: Int
    /// The prompt's token there, when it is to be scored.
    let scoredToken: TokenID?
    /// A token is to be sampled there.
    let samples: Bool

    /// The rows of a step whose logits are wanted, in order. Of each sequence they are consecutive.
    static func append(of step: Step, to headRows: inout [HeadRow]) {
        var firstRow = 0
        for (index, rows) in step.sequences.enumerated() {
            let lastRow = rows.tokens.count - 1
            let first = rows.scores ? 0 : lastRow
            for row in first...lastRow {
                let isLast = row == lastRow
                let following = isLast ? rows.followingToken : rows.tokens[row + 1]
                let scoredToken = rows.scores ? following : nil
                let samples = isLast && rows.samples
                guard scoredToken != nil || samples else { continue }
                headRows.append(
                    HeadRow(
                        sequenceIndex: index, rowIndex: firstRow + row, position: rows.firstPosition + row + 1,
                        scoredToken: scoredToken, samples: samples))
            }
            firstRow += rows.tokens.count
        }
    }
}
