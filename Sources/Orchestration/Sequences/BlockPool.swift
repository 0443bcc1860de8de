package import Vocabulary

/// The block ids of a pipeline's KV pool, counted by who refers to them, and the cache of prefixes in those that
/// nobody refers to.
///
/// A block is free, cached (named and unreferenced; evicted when no block is free, the longest unused first), or
/// referenced. A step in flight counts as a reference: so an id is written anew only when no such step reads it.
package struct BlockPool: Sendable {
    package let blockCount: Int
    /// The next id to give is the last.
    private var free: [BlockID]
    /// Of each block: sequences that hold it, and references that wait for a step in flight.
    private var references: [Int32]
    /// Of each block: how many of its references only wait for a step in flight.
    private var retiringReferences: [Int32]
    private var retiring: [(after: StepNumber, blocks: [BlockID])] = []
    /// Blocks that come free when the steps in flight have passed.
    package private(set) var retiringCount = 0

    // MARK: The cache

    private var names: [BlockChain.Name?]
    private var namedBlocks: [BlockChain.Name: BlockID] = [:]
    /// Unreferenced named blocks, the longest unused first.
    private var unused: BlockList

    package init(blockCount: Int) {
        self.blockCount = blockCount
        free = (0..<blockCount).reversed().map { BlockID(UInt32($0)) }
        references = Array(repeating: 0, count: blockCount)
        retiringReferences = references
        names = Array(repeating: nil, count: blockCount)
        unused = BlockList(blockCount: blockCount)
    }

    /// How many blocks can be taken, those of the cache among them.
    package var freeCount: Int { free.count + unused.count }

    /// Of those that can be taken: how many hold prefixes.
    package var cachedCount: Int { unused.count }

    /// Blocks that positions `0 ..< positionCount` need.
    package static func blockCount(positionCount: Int) -> Int {
        (positionCount + BlockID.positionCount - 1) / BlockID.positionCount
    }

    // MARK: Taking and giving

    /// Nil, and nothing taken, when there are not so many.
    package mutating func take(_ count: Int) -> [BlockID]? {
        guard count <= freeCount else { return nil }
        while free.count < count, let evicted = unused.popFirst() {
            if let name = names[Self.index(evicted)] { namedBlocks[name] = nil }
            names[Self.index(evicted)] = nil
            // Behind those that are free already.
            free.insert(evicted, at: 0)
        }
        let blocks = Array(free.suffix(count).reversed())
        free.removeLast(count)
        for block in blocks { addReference(to: block) }
        return blocks
    }

    /// Gives references back; after `step`, the last one that uses them, has come back.
    package mutating func give(_ blocks: [BlockID], after step: StepNumber?) {
        guard !blocks.isEmpty else { return }
        guard let step else {
            release(blocks)
            return
        }
        for block in blocks { changeReferences(of: block, by: 0, retiringBy: 1) }
        retiring.append((step, blocks))
    }

    /// Steps come back in order: none up to `step` is in flight any more.
    package mutating func stepFinished(_ step: StepNumber) {
        guard retiring.contains(where: { $0.after <= step }) else { return }
        for entry in retiring where entry.after <= step {
            for block in entry.blocks { changeReferences(of: block, by: 0, retiringBy: -1) }
            release(entry.blocks)
        }
        retiring.removeAll { $0.after <= step }
    }

    /// Backwards, so that the end of a prefix is evicted before its beginning, without which nobody finds it.
    private mutating func release(_ blocks: [BlockID]) {
        for block in blocks.reversed() {
            changeReferences(of: block, by: -1, retiringBy: 0)
            guard references[Self.index(block)] == 0 else { continue }
            if names[Self.index(block)] == nil { free.append(block) } else { unused.append(block) }
        }
    }

    private mutating func addReference(to block: BlockID) { changeReferences(of: block, by: 1, retiringBy: 0) }

    private mutating func changeReferences(of block: BlockID, by change: Int32, retiringBy retiringChange: Int32) {
        let index = Self.index(block)
        if isRetiring(index) { retiringCount -= 1 }
        references[index] += change
        retiringReferences[index] += retiringChange
        if isRetiring(index) { retiringCount += 1 }
    }

    private func isRetiring(_ index: Int) -> Bool {
        references[index] > 0 && references[index] == retiringReferences[index]
    }

    private static func index(_ block: BlockID) -> Int { Int(block.rawValue) }

    // MARK: Sharing

    /// How many blocks from the beginning of `names` on are there, and how many of these count as free now.
    package func match(_ names: ArraySlice<BlockChain.Name>) -> (count: Int, unusedCount: Int) {
        var (count, unusedCount) = (0, 0)
        for name in names {
            guard let block = namedBlocks[name] else { break }
            count += 1
            if references[Self.index(block)] == 0 { unusedCount += 1 }
        }
        return (count, unusedCount)
    }

    /// The blocks of these names, each with one reference more. All must be there.
    package mutating func share(_ names: ArraySlice<BlockChain.Name>) -> [BlockID] {
        names.compactMap { name in
            guard let block = namedBlocks[name] else { return nil }
            if references[Self.index(block)] == 0 { unused.remove(block) }
            addReference(to: block)
            return block
        }
    }

    /// A referenced block is full and never written again: others may share it. When another block has the name
    /// already, this one stays its holder's own.
    package mutating func seal(_ block: BlockID, as name: BlockChain.Name) {
        guard names[Self.index(block)] == nil, namedBlocks[name] == nil else { return }
        names[Self.index(block)] = name
        namedBlocks[name] = block
    }

    // MARK: Audit

    package struct Audit: Sendable {
        package var free: [BlockID]
        /// The longest unused first.
        package var cached: [BlockID]
        /// By block.
        package var references: [Int32]
        /// With the steps they wait for; a block stands once for each reference.
        package var retiring: [(after: StepNumber, blocks: [BlockID])]
        /// By block.
        package var isNamed: [Bool]
        package var nameCount: Int
    }

    package var audit: Audit {
        Audit(
            free: free, cached: unused.blocks, references: references, retiring: retiring,
            isNamed: names.map { $0 != nil }, nameCount: namedBlocks.count)
    }
}
