package import Vocabulary

/// The block ids of a pipeline's KV pool. An id is given again only when no step in flight refers to it.
package struct BlockPool: Sendable {
    package let blockCount: Int
    /// The next id to give is the last.
    private var free: [BlockID]
    /// Blocks that nobody holds but that a step in flight may still write or read.
    private var retiring: [(after: StepNumber, blocks: [BlockID])] = []
    package private(set) var retiringCount = 0

    package init(blockCount: Int) {
        self.blockCount = blockCount
        free = (0..<blockCount).reversed().map { BlockID(UInt32($0)) }
    }

    package var freeCount: Int { free.count }

    /// Blocks that positions `0 ..< positionCount` need.
    package static func blockCount(positionCount: Int) -> Int {
        (positionCount + BlockID.positionCount - 1) / BlockID.positionCount
    }

    /// Nil, and nothing taken, when there are not so many.
    package mutating func take(_ count: Int) -> [BlockID]? {
        guard count <= free.count else { return nil }
        let blocks = Array(free.suffix(count).reversed())
        free.removeLast(count)
        return blocks
    }

    /// Gives blocks back; after `step`, the last one that refers to them, has come back.
    package mutating func give(_ blocks: [BlockID], after step: StepNumber?) {
        guard !blocks.isEmpty else { return }
        guard let step else {
            free.append(contentsOf: blocks.reversed())
            return
        }
        retiring.append((step, blocks))
        retiringCount += blocks.count
    }

    /// Steps come back in order: none up to `step` is in flight any more.
    package mutating func stepFinished(_ step: StepNumber) {
        guard retiringCount > 0 else { return }
        for entry in retiring where entry.after <= step {
            free.append(contentsOf: entry.blocks.reversed())
            retiringCount -= entry.blocks.count
        }
        retiring.removeAll { $0.after <= step }
    }

    /// For audits: every id that no sequence holds.
    package var unheldBlocks: [BlockID] { free + retiring.flatMap(\.blocks) }
}
