import Vocabulary

/// Finds the token that has given bytes: a hash table over the vocabulary's own bytes, built in milliseconds.
struct TokenIndex: Sendable {
    /// Open addressing, linear probing; -1 is free. At most half full.
    private var slots: [TokenID]
    private let mask: Int

    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        slots = Array(repeating: -1, count: size)
        mask = size - 1
    }

    /// The first token of the same bytes wins.
    mutating func insert(_ token: TokenID, in table: StringTable) {
        table.withUTF8(at: Int(token)) { bytes in
            let slot = slot(of: bytes, in: table)
            if slots[slot] < 0 { slots[slot] = token }
        }
    }

    func find(_ bytes: UnsafeBufferPointer<UInt8>, in table: StringTable) -> TokenID? {
        let token = slots[slot(of: bytes, in: table)]
        return token < 0 ? nil : token
    }

    /// The slot that holds these bytes, or the free one where they belong.
    private func slot(of bytes: UnsafeBufferPointer<UInt8>, in table: StringTable) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        var slot = hasher.finalize() & mask
        while slots[slot] >= 0 {
            let isSame = table.withUTF8(at: Int(slots[slot])) { $0.elementsEqual(bytes) }
            if isSame { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }
}
