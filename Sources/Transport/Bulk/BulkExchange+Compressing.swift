import Memory
import Synchronization
import Wire

/// Compressing what is sent, where that pays. Never under a lock that others wait for, nor on the loop: a thread makes
/// a few pieces ready ahead of the lane.
extension BulkExchange {
    struct Compressing: Sendable {
        /// Made ready, in the order in which they go.
        var prepared: [Prepared] = []
        /// The thread is at work; it looks for more itself.
        var isEncoding = false
        var choice = CompressionChoice()
        /// Of the link, in bytes a second, as far as it is known.
        var linkRate: Double?
        var pieceCount = 0
    }

    struct Prepared: Sendable {
        let transfer: OutboundTransfer
        let position: Int
        let encoded: PieceEncoder.Encoded
    }

    private static let codec = CodecThread()
    private static let preparedCountMax = 4
    /// Without compressing, one piece of so many is tried.
    private static let sampledPieceCount = 64

    /// On the loop, whenever it is known anew.
    func setLinkRate(_ rate: Double?) { state.withLock { $0.compressing.linkRate = rate } }

    /// What compressing gave, for tests and metrics.
    var compressionChoice: CompressionChoice { state.withLock { $0.compressing.choice } }

    /// Whether the next piece comes from the thread. Pieces that were begun there go first: order is kept.
    func compresses(_ state: inout State) -> Bool {
        if state.compressing.isEncoding || !state.compressing.prepared.isEmpty { return true }
        return wantsCompression(state)
    }

    private func wantsCompression(_ state: State) -> Bool {
        switch limits.compression {
        case .never: false
        case .always: true
        case .automatic: state.compressing.choice.pays(linkRate: state.compressing.linkRate)
        }
    }

    /// Appends a piece that is ready. Under both locks.
    func fillEncoded(_ bytes: inout OutboundBytes, _ state: inout State) -> Bool {
        defer { encodeMore(&state) }
        guard let peer = state.peer, let piece = state.compressing.prepared.first else { return false }
        state.compressing.prepared.removeFirst()
        bytes.append(peer.piece(of: piece.transfer.number, at: piece.position, piece.encoded))
        bytes.append(piece.encoded.bulk)
        return true
    }

    private func encodeMore(_ state: inout State) {
        guard !state.compressing.isEncoding, wantsCompression(state), !state.ready.isEmpty else { return }
        state.compressing.isEncoding = true
        Self.codec.run { [weak self] in self?.encode() }
    }

    /// On the codec's thread.
    private func encode() {
        let work = state.withLock { state -> (OutboundTransfer, Int, [BufferSlice], Int)? in
            guard wantsCompression(state), let transfer = state.ready.first,
                state.compressing.prepared.count < Self.preparedCountMax
            else {
                state.compressing.isEncoding = false
                return nil
            }
            let position = transfer.cursor.position
            let count = min(transfer.cursor.rest, Self.pieceByteCountMax)
            var slices: [BufferSlice] = []
            transfer.cursor.take(count) { slices.append($0) }
            transfer.encodingCount += 1
            state.ready.removeFirst()
            if !transfer.isQueued { state.ready.append(transfer) }
            return (transfer, position, slices, count)
        }
        guard let (transfer, position, slices, count) = work else { return kickLane() }
        let encoded = Result { () throws(MemoryError) in try encoder.encode(slices, byteCount: count) }
        state.withLock { state in
            transfer.encodingCount -= 1
            guard case .success(let encoded) = encoded else { return }
            state.compressing.note(encoded)
            // Unless it was given up meanwhile.
            guard state.outbound[transfer.number] === transfer else { return }
            state.compressing.prepared.append(
                Prepared(transfer: transfer, position: position, encoded: encoded))
        }
        if case .failure(let error) = encoded {
            abandon(transfer.number, BulkFailure(.refused, "transfer \(transfer.number): \(error.message)"))
        }
        onLoop { self.tellDrained() }
        kickLane()
        Self.codec.run { [weak self] in self?.encode() }
    }

    private func kickLane() {
        let peer = state.withLock { $0.peer }
        onLoop { peer?[.bulk].outbound.kick() }
    }

    /// Now and then a piece that goes as it is is compressed as well, to see whether that would pay.
    func sample(_ transfer: OutboundTransfer, _ count: Int, _ state: inout State) {
        guard case .automatic = limits.compression, state.compressing.linkRate != nil else { return }
        state.compressing.pieceCount += 1
        guard state.compressing.pieceCount % Self.sampledPieceCount == 1 else { return }
        var slices: [BufferSlice] = []
        var cursor = transfer.cursor
        cursor.take(count) { slices.append($0) }
        transfer.encodingCount += 1
        let sampled = slices
        Self.codec.run { [weak self] in
            guard let self else { return }
            let encoded = try? encoder.encode(sampled, byteCount: count)
            self.state.withLock { state in
                transfer.encodingCount -= 1
                if let encoded { state.compressing.note(encoded) }
            }
            onLoop { self.tellDrained() }
        }
    }
}

extension BulkExchange.Compressing {
    fileprivate mutating func note(_ encoded: PieceEncoder.Encoded) {
        choice.note(
            byteCount: encoded.uncompressedByteCount,
            compressedByteCount: encoded.isCompressed ? encoded.bulk.byteCount : encoded.uncompressedByteCount,
            seconds: encoded.seconds)
    }
}
