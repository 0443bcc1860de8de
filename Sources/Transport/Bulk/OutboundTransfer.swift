import Memory

/// Bytes of ours that go to a landing place of the other end.
///
/// `@unchecked Sendable`: what varies is used under the lock of the exchange, except `timer`, which is set before
/// anybody else knows the transfer.
final class OutboundTransfer: @unchecked Sendable {
    let number: UInt64
    let completion: BulkCompletion
    var cursor: SliceCursor
    var timer: LoopTimer?
    /// Of all bytes that were queued on the bulk lane, up to the end of this transfer's last piece.
    var queuedUpTo: UInt64 = 0
    /// Pieces of it that are being compressed.
    var encodingCount = 0
    /// Its end, which is told once the queue no longer reads from its buffers.
    var outcome: BulkCompletion.Outcome?

    init(number: UInt64, source: SliceCursor, completion: BulkCompletion) {
        self.number = number
        cursor = source
        self.completion = completion
    }

    var byteCount: Int { cursor.byteCount }
    var isQueued: Bool { cursor.rest == 0 }

    /// Nobody reads from its buffers any more.
    func isDrained(writtenUpTo count: UInt64) -> Bool { encodingCount == 0 && queuedUpTo <= count }
}
