import Tensors
import Vocabulary

/// A batch as the kernels see it: spans of rows with the addresses of their blocks. Its storage is used again.
struct StagePlan {
    private(set) var rowCount = 0
    /// One a sequence: all its rows.
    private(set) var spans: [AttentionSpan] = []
    /// The rows whose logits are wanted, in order.
    private(set) var headRows: [HeadRow] = []
    /// One a sequence with head rows: those rows, numbered among all head rows.
    private(set) var headSpans: [AttentionSpan] = []
    /// The current layer's part of each block of each sequence, one list after the other.
    private var addresses = AddressList()

    /// - Parameters:
    ///   - positions: filled with the position of each row.
    ///   - tokens: filled with the token of each row.
    mutating func set(
        _ batch: StageBatch, pool: KeyValuePool, positions: UnsafeMutablePointer<Int32>,
        tokens: UnsafeMutablePointer<TokenID>, hasHead: Bool
    ) {
        let sequences = batch.step.sequences
        spans.removeAll(keepingCapacity: true)
        headRows.removeAll(keepingCapacity: true)
        headSpans.removeAll(keepingCapacity: true)
        if hasHead { HeadRow.append(of: batch.step, to: &headRows) }
        addresses.reserve(sequences.reduce(0) { $0 + Self.blockCount(of: $1) })
        rowCount = 0
        for (rows, blocks) in zip(sequences, batch.blocks) {
            let list = addresses.append(blocks.prefix(Self.blockCount(of: rows)).lazy.map { pool.base(of: $0) })
            spans.append(
                AttentionSpan(
                    rowOffset: rowCount, rowCount: rows.tokens.count, firstPosition: rows.firstPosition, blocks: list))
            for row in 0..<rows.tokens.count {
                positions[rowCount + row] = Int32(rows.firstPosition + row)
                tokens[rowCount + row] = rows.tokens[row]
            }
            rowCount += rows.tokens.count
        }
        setHeadSpans()
    }

    private mutating func setHeadSpans() {
        var first = 0
        while first < headRows.count {
            let span = spans[headRows[first].sequenceIndex]
            var end = first + 1
            while end < headRows.count, headRows[end].sequenceIndex == headRows[first].sequenceIndex { end += 1 }
            headSpans.append(
                AttentionSpan(
                    rowOffset: first, rowCount: end - first, firstPosition: headRows[first].position - 1,
                    blocks: span.blocks))
            first = end
        }
    }

    /// Goes from one layer's part of all blocks to the next one's.
    func advance(byLayerByteCount byteCount: Int) { addresses.advance(by: byteCount) }

    /// Blocks that hold positions up to the last of the rows.
    private static func blockCount(of rows: SequenceRows) -> Int {
        (rows.firstPosition + rows.tokens.count - 1) / BlockID.positionCount + 1
    }
}

/// Addresses that do not move while they are filled in.
private final class AddressList {
    private var storage: UnsafeMutablePointer<UnsafeMutableRawPointer>?
    private var capacity = 0
    private var count = 0

    deinit { storage?.deallocate() }

    /// Empties the list and makes room.
    func reserve(_ needed: Int) {
        count = 0
        guard needed > capacity || storage == nil else { return }
        storage?.deallocate()
        capacity = max(needed, 2 * capacity, 64)
        storage = .allocate(capacity: capacity)
    }

    func append(_ addresses: some Sequence<UnsafeMutableRawPointer>) -> UnsafePointer<UnsafeMutableRawPointer> {
        guard let storage else { preconditionFailure("room was not reserved") }
        let first = storage + count
        for address in addresses {
            precondition(count < capacity, "more addresses than room was reserved for")
            (storage + count).initialize(to: address)
            count += 1
        }
        return UnsafePointer(first)
    }

    func advance(by byteCount: Int) {
        guard let storage else { return }
        for index in 0..<count { storage[index] += byteCount }
    }
}
