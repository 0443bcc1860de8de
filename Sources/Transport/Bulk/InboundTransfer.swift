import Glibc
import Memory

/// A grant of ours: bytes of the other end land in its places.
///
/// `@unchecked Sendable`: what varies is used on the loop's thread alone, except `timer`, which is set before anybody
/// else knows the transfer.
final class InboundTransfer: @unchecked Sendable {
    let number: UInt64
    let byteCount: Int
    let completion: BulkCompletion
    var timer: LoopTimer?
    /// Nothing may be written to the places any more.
    private(set) var isOver = false
    private var cursor: SliceCursor

    init(number: UInt64, places: SliceCursor, completion: BulkCompletion) {
        self.number = number
        byteCount = places.byteCount
        cursor = places
        self.completion = completion
    }

    /// Bytes that have come.
    var position: Int { cursor.position }

    /// Where the next bytes go.
    func gather(
        into parts: UnsafeMutableBufferPointer<iovec>, byteCountMax: Int
    ) -> (partCount: Int, byteCount: Int) {
        cursor.gather(into: parts, byteCountMax: byteCountMax)
    }

    func advance(_ count: Int) { cursor.take(count) }

    /// Takes bytes that were received elsewhere.
    func fill(from bulk: BufferSlice) {
        var filled = 0
        cursor.take(bulk.byteCount) { part in
            part.base.copyMemory(from: bulk.base + filled, byteCount: part.byteCount)
            filled += part.byteCount
        }
    }

    func end(_ outcome: BulkCompletion.Outcome) {
        isOver = true
        timer?.cancel()
        completion.finish(outcome)
    }
}
