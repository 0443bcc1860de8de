import Vocabulary

/// The block list of each sequence, as a stage builds it from what steps tell.
struct BlockTables: Sendable {
    private var lists: [SequenceID: [BlockID]] = [:]
    private let blockCount: Int

    init(blockCount: Int) { self.blockCount = blockCount }

    /// Why a step cannot be right.
    struct Flaw: Error {
        var reason: String
    }

    /// Takes in the step's changes and gives the whole list of each of its sequences.
    mutating func apply(_ step: Step) throws(Flaw) -> [[BlockID]] {
        for sequence in step.ended { lists[sequence] = nil }
        var result: [[BlockID]] = []
        result.reserveCapacity(step.sequences.count)
        var seen: Set<SequenceID> = []
        for rows in step.sequences {
            guard seen.insert(rows.sequence).inserted else {
                throw Flaw(reason: "sequence \(rows.sequence) stands twice in the step")
            }
            result.append(try apply(rows))
        }
        return result
    }

    private mutating func apply(_ rows: SequenceRows) throws(Flaw) -> [BlockID] {
        let name = "sequence \(rows.sequence)"
        guard !rows.tokens.isEmpty else { throw Flaw(reason: "\(name) has no rows") }
        let (end, overflows) = rows.firstPosition.addingReportingOverflow(rows.tokens.count)
        guard rows.firstPosition >= 0, !overflows else {
            throw Flaw(reason: "\(name) has rows from position \(rows.firstPosition)")
        }
        if rows.introduction != nil {
            lists[rows.sequence] = []
        }
        guard var list = lists[rows.sequence] else { throw Flaw(reason: "\(name) was not introduced") }
        guard rows.firstBlockIndex >= 0, rows.firstBlockIndex <= list.count else {
            throw Flaw(reason: "\(name) has new blocks from index \(rows.firstBlockIndex) and \(list.count) blocks")
        }
        if let block = rows.blocks.first(where: { Int($0.rawValue) >= blockCount }) {
            throw Flaw(reason: "\(name) has block \(block) of a pool of \(blockCount)")
        }
        if !rows.blocks.isEmpty {
            list.removeSubrange(rows.firstBlockIndex...)
            list += rows.blocks
            lists[rows.sequence] = list
        }
        let needed = (end - 1) / BlockID.positionCount + 1
        guard needed <= list.count else {
            throw Flaw(reason: "\(name) has rows up to position \(end - 1) and only \(list.count) blocks")
        }
        return list
    }
}
