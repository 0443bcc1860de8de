import Vocabulary

/// Some of a pool's blocks in an order, each at most once; every change takes constant time.
struct BlockList: Sendable {
    /// Links of block i; those of the end of the list are at `blockCount`.
    private var following: [Int32]
    private var preceding: [Int32]
    private(set) var count = 0

    private static let absent: Int32 = -1

    init(blockCount: Int) {
        following = Array(repeating: Self.absent, count: blockCount + 1)
        preceding = following
        following[blockCount] = Int32(blockCount)
        preceding[blockCount] = Int32(blockCount)
    }

    private var end: Int { following.count - 1 }

    /// The block must not be in the list.
    mutating func append(_ block: BlockID) {
        let index = Int(block.rawValue)
        let last = Int(preceding[end])
        following[last] = Int32(index)
        preceding[index] = Int32(last)
        following[index] = Int32(end)
        preceding[end] = Int32(index)
        count += 1
    }

    /// Does nothing when the block is not in the list.
    mutating func remove(_ block: BlockID) {
        let index = Int(block.rawValue)
        guard following[index] != Self.absent else { return }
        following[Int(preceding[index])] = following[index]
        preceding[Int(following[index])] = preceding[index]
        following[index] = Self.absent
        preceding[index] = Self.absent
        count -= 1
    }

    mutating func popFirst() -> BlockID? {
        guard count > 0 else { return nil }
        let block = BlockID(UInt32(following[end]))
        remove(block)
        return block
    }

    /// In their order.
    var blocks: [BlockID] {
        var blocks: [BlockID] = []
        var index = Int(following[end])
        while index != end, blocks.count < count {
            blocks.append(BlockID(UInt32(index)))
            index = Int(following[index])
        }
        return blocks
    }
}
