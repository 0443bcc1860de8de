import Vocabulary

/// What two neighbouring tokens merge into, and how early: a hash table of pairs.
struct MergeTable: Sendable {
    struct Merge: Sendable {
        /// Lower merges first.
        var rank: UInt32
        var token: TokenID
    }

    /// Open addressing, linear probing; at most half full.
    private var keys: [UInt64]
    private var merges: [Merge]
    private let shift: UInt64
    private let mask: Int
    private static let free = UInt64.max

    init(capacity: Int) {
        var bits: UInt64 = 4
        while 1 << bits < 2 * capacity { bits += 1 }
        keys = Array(repeating: Self.free, count: 1 << bits)
        merges = Array(repeating: Merge(rank: 0, token: -1), count: 1 << bits)
        shift = 64 - bits
        mask = 1 << bits - 1
    }

    /// The first merge of a pair wins. Both tokens are at least 0, so a key is never `free`.
    mutating func insert(_ left: TokenID, _ right: TokenID, _ merge: Merge) {
        let key = Self.key(left, right)
        let slot = slot(of: key)
        guard keys[slot] == Self.free else { return }
        keys[slot] = key
        merges[slot] = merge
    }

    func find(_ left: TokenID, _ right: TokenID) -> Merge? {
        let slot = slot(of: Self.key(left, right))
        return keys[slot] == Self.free ? nil : merges[slot]
    }

    private static func key(_ left: TokenID, _ right: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private func slot(of key: UInt64) -> Int {
        // Fibonacci hashing: the top bits of the product with 2^64 / golden ratio.
        var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> shift)
        while keys[slot] != Self.free && keys[slot] != key { slot = (slot + 1) & mask }
        return slot
    }
}
