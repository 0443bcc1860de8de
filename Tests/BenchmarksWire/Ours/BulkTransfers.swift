import Distributed
import Memory
import Transport
import Vocabulary

/// A way to send pieces of bulk.
protocol BulkPath: AnyObject, Sendable {
    var name: String { get }
    /// Bytes a second, of as many pieces as until `isOver` says so.
    func run(until isOver: @escaping @Sendable (_ pieceCount: Int) -> Bool) async throws -> Double
}

/// Bulk transfers, each into a landing place that the other end grants; two are on their way at a time.
final class BulkTransfers: BulkPath, Sendable {
    let name = "bulk transfers"
    private let process: WireProcess
    private let remote: WireActor
    private let piece: BufferSlice

    init(process: WireProcess, remote: WireActor, piece: BufferSlice) {
        self.process = process
        self.remote = remote
        self.piece = piece
    }

    func run(until isOver: @escaping @Sendable (_ pieceCount: Int) -> Bool) async throws -> Double {
        let (process, remote, piece) = (process, remote, piece)
        return try await Task(executorPreference: process.loop) {
            let begin = EventLoop.now
            var sendings: [BulkSending] = []
            var sent = 0
            while !isOver(sent) {
                let transfer = try await remote.grant(WireProbe(UInt64(piece.byteCount))).number
                sendings.append(
                    try process.system.startSendingBulk([piece], transfer: transfer, to: NodeName.other))
                sent += 1
                if sendings.count > 1 { try await sendings.removeFirst().landed() }
            }
            for sending in sendings { try await sending.landed() }
            return Double(sent * piece.byteCount) / (EventLoop.now - begin).seconds
        }.value
    }
}
