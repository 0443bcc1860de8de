import Vocabulary

/// Byte-pair encoding of one word: of all neighbouring pairs, the one of lowest rank merges first, the leftmost of
/// equals; until no pair merges. n log n in the word's bytes: a heap of candidates over a linked list of symbols.
struct BytePairMerger {
    private let merges: MergeTable
    /// The token of each byte; negative when the vocabulary lacks it.
    private let byteTokens: [TokenID]

    // Symbol i is `symbols[i]`, between `previous[i]` and `next[i]`. Kept between words to save allocations.
    private var symbols: [TokenID] = []
    private var previous: [Int] = []
    private var next: [Int] = []
    /// A binary heap, least first, of rank << positionBits | position.
    private var heap: [UInt64] = []

    /// A symbol that was merged into the one before it.
    private static let merged: TokenID = -1
    private static let none = -1
    /// Leaves 24 bits for ranks, as many as `HeaderLimits.elementCountMax` merges need.
    private static let positionBits: UInt64 = 40

    init(merges: MergeTable, byteTokens: [TokenID]) {
        self.merges = merges
        self.byteTokens = byteTokens
    }

    /// Appends the tokens of `word`. Bytes that the vocabulary lacks are left out.
    mutating func encode(_ word: UnsafeBufferPointer<UInt8>, into tokens: inout [TokenID]) {
        fill(word)
        for position in symbols.indices.dropLast() { addCandidate(position) }
        while let entry = popLeast() {
            let position = Int(entry & (1 << Self.positionBits - 1))
            let rank = UInt32(entry >> Self.positionBits)
            let following = next[position]
            // A candidate is stale when one of its symbols has merged otherwise since.
            guard symbols[position] != Self.merged, following != Self.none,
                let merge = merges.find(symbols[position], symbols[following]), merge.rank == rank
            else { continue }
            symbols[position] = merge.token
            symbols[following] = Self.merged
            next[position] = next[following]
            if next[position] != Self.none {
                previous[next[position]] = position
                addCandidate(position)
            }
            if previous[position] != Self.none { addCandidate(previous[position]) }
        }
        for symbol in symbols where symbol != Self.merged { tokens.append(symbol) }
    }

    private mutating func fill(_ word: UnsafeBufferPointer<UInt8>) {
        symbols.removeAll(keepingCapacity: true)
        for byte in word where byteTokens[Int(byte)] >= 0 { symbols.append(byteTokens[Int(byte)]) }
        previous.removeAll(keepingCapacity: true)
        next.removeAll(keepingCapacity: true)
        for position in symbols.indices {
            previous.append(position - 1)
            next.append(position + 1 < symbols.count ? position + 1 : Self.none)
        }
        heap.removeAll(keepingCapacity: true)
    }

    private mutating func addCandidate(_ position: Int) {
        guard let merge = merges.find(symbols[position], symbols[next[position]]) else { return }
        push(UInt64(merge.rank) << Self.positionBits | UInt64(position))
    }

    // MARK: Heap

    private mutating func push(_ entry: UInt64) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[parent] > entry else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    private mutating func popLeast() -> UInt64? {
        guard let least = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return least }
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < last else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return least
    }
}
