import Glibc
import Memory
import Synchronization
import Vocabulary
import Wire

/// The bulk transfers of one pair, both directions.
///
/// The receiver grants a landing place under a number (`grant`, on control); the sender cuts its bytes into `piece`
/// frames on the bulk lane, where those of several transfers take turns; the receiver answers with `landed`. Either
/// end may end it before: `revoke`, `abandon`.
final class BulkExchange: BulkSource, Sendable {
    struct Limits: Sendable {
        var grantCountMax: Int
        var grantByteCountMax: Int
        var compression = BulkCompression.automatic
    }

    /// Of one frame: what is computed and written of it at once stays in the processor's cache.
    static let pieceByteCountMax = 256 << 10
    /// Grants of the other end that are kept; it breaks the protocol with more.
    static let creditCountMax = 4096
    private static let partCountMax = 64

    struct State {
        weak var peer: Peer?
        var closed: BulkFailure?
        // What we receive.
        var lastGranted: UInt64 = 0
        var inbound: [UInt64: InboundTransfer] = [:]
        var grantedByteCount = 0
        // What we send.
        var lastCredit: UInt64 = 0
        /// Grants that nothing is sent for yet, with their lengths.
        var credits: [UInt64: Int] = [:]
        var outbound: [UInt64: OutboundTransfer] = [:]
        /// Granted, and not all queued: the next piece is the first one's.
        var ready: [OutboundTransfer] = []
        /// Over, but the lane's queue still reads from their buffers.
        var draining: [OutboundTransfer] = []
        var writtenUpTo: UInt64 = 0
        var compressing = Compressing()
    }
    let state = Mutex(State())
    /// Held while a grant gets its number and is queued: they go out in order.
    private let granting = Mutex(())
    private let node: NodeID
    private let loop: EventLoop
    let limits: Limits
    let encoder: PieceEncoder

    init(node: NodeID, loop: EventLoop, limits: Limits, pool: BufferPool) {
        encoder = PieceEncoder(pool: pool)
        self.node = node
        self.loop = loop
        self.limits = limits
    }

    func attach(_ peer: Peer) {
        state.withLock { $0.peer = peer }
        peer[.bulk].outbound.attach(self)
    }

    // MARK: Receiving: what this process asks for

    /// From any thread.
    func grant(
        _ places: [BufferSlice], timeout: Instant.Span, whenDone: (@Sendable (BulkCompletion.Outcome) -> Void)?
    ) throws(BulkFailure) -> BulkGrant {
        let cursor = SliceCursor(places)
        guard cursor.byteCount > 0 else { throw BulkFailure(.refused, "a grant of no bytes") }
        let completion = BulkCompletion(whenDone: whenDone)
        let transfer = try granting.withLock { _ throws(BulkFailure) in
            try grant(cursor, timeout: timeout, completion: completion)
        }
        return BulkGrant(transfer: transfer.number, exchange: self, completion: completion)
    }

    private func grant(
        _ cursor: SliceCursor, timeout: Instant.Span, completion: BulkCompletion
    ) throws(BulkFailure) -> InboundTransfer {
        let granted = state.withLock { state -> Result<(InboundTransfer, Peer), BulkFailure> in
            if let closed = state.closed { return .failure(closed) }
            guard let peer = state.peer else { return .failure(lost("it is gone")) }
            guard state.inbound.count < limits.grantCountMax,
                cursor.byteCount <= limits.grantByteCountMax - state.grantedByteCount
            else {
                return .failure(
                    BulkFailure(
                        .overloaded,
                        "\(state.inbound.count) transfers of \(state.grantedByteCount) bytes are granted to \(node) "
                            + "already; \(cursor.byteCount) more bytes are too many"))
            }
            state.lastGranted += 1
            let transfer = InboundTransfer(number: state.lastGranted, places: cursor, completion: completion)
            transfer.timer = loop.schedule(after: timeout) { [weak self] in
                self?.revoke(
                    transfer.number,
                    BulkFailure(.timedOut, "transfer \(transfer.number) did not come within \(timeout.seconds) s"))
            }
            state.inbound[transfer.number] = transfer
            state.grantedByteCount += cursor.byteCount
            return .success((transfer, peer))
        }
        let (transfer, peer) = try granted.get()
        peer.sendControl(peer.frame(.grant, call: transfer.number, object: UInt64(transfer.byteCount)))
        return transfer
    }

    /// Ends a transfer to us, and tells the other end. From any thread.
    func revoke(_ number: UInt64, _ failure: BulkFailure) {
        // On the loop, so that nothing is being read into its places when its end is told.
        onLoop { [self] in
            let (transfer, peer) = state.withLock { ($0.remove(inbound: number), $0.peer) }
            guard let transfer else { return }
            transfer.end(.failure(failure))
            peer?.sendControl(.revoke, call: number, failure.asRemote)
        }
    }

    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if loop.isInLoop { body() } else { loop.execute(body) }
    }

    // MARK: Receiving: what comes

    /// Checks a piece before its bytes are read. Nil for one of a transfer that is over, whose bytes go nowhere.
    func admit(piece header: FrameHeader) throws(LaneEnd) -> InboundTransfer? {
        let (transfer, lastGranted) = state.withLock { ($0.inbound[header.call], $0.lastGranted) }
        guard let transfer else {
            guard header.call <= lastGranted else {
                throw LaneEnd(kind: .violation, reason: "a piece of transfer \(header.call), which was never granted")
            }
            return nil
        }
        guard header.actor == UInt64(transfer.position), header.bulkUncompressedByteCount > 0,
            header.bulkUncompressedByteCount <= transfer.byteCount - transfer.position
        else {
            throw LaneEnd(
                kind: .violation,
                reason: "a piece of \(header.bulkUncompressedByteCount) bytes at \(header.actor) of transfer "
                    + "\(header.call), of which \(transfer.position) of \(transfer.byteCount) bytes have come")
        }
        return transfer
    }

    /// A piece is complete and checked. On the loop.
    ///
    /// - Parameter bulk: its bytes, if they do not lie in their place yet.
    func landed(piece header: FrameHeader, _ bulk: BufferSlice?) {
        if let bulk, let transfer = state.withLock({ $0.inbound[header.call] }) { transfer.fill(from: bulk) }
        let (transfer, peer) = state.withLock { state -> (InboundTransfer?, Peer?) in
            guard let transfer = state.inbound[header.call], transfer.position == transfer.byteCount else {
                return (nil, nil)
            }
            return (state.remove(inbound: header.call), state.peer)
        }
        guard let transfer, let peer else { return }
        peer.sendControl(peer.frame(.landed, call: transfer.number))
        transfer.end(.success(()))
    }

    /// The sender will not send it, or not all. On the loop.
    func abandoned(_ number: UInt64, _ failure: RemoteFailure) throws(LaneEnd) {
        let (transfer, lastGranted) = state.withLock { ($0.remove(inbound: number), $0.lastGranted) }
        guard number <= lastGranted else {
            throw LaneEnd(kind: .violation, reason: "transfer \(number), which was never granted, is abandoned")
        }
        transfer?.end(.failure(BulkFailure(failure)))
    }

    // MARK: Sending: what this process asks for

    /// From any thread. The grant may come later than this.
    func send(
        _ slices: [BufferSlice], transfer number: UInt64, timeout: Instant.Span,
        whenDone: (@Sendable (BulkCompletion.Outcome) -> Void)?
    ) throws(BulkFailure) -> BulkSending {
        let completion = BulkCompletion(whenDone: whenDone)
        let transfer = OutboundTransfer(number: number, source: SliceCursor(slices), completion: completion)
        transfer.timer = loop.schedule(after: timeout) { [weak self] in
            self?.abandon(
                number, BulkFailure(.timedOut, "transfer \(number) did not arrive within \(timeout.seconds) s"))
        }
        let refusal = state.withLock { state -> BulkFailure? in
            if let closed = state.closed { return closed }
            let isKnown = state.outbound[number] != nil || state.draining.contains { $0.number == number }
            guard !isKnown, number > state.lastCredit || state.credits[number] != nil else {
                return BulkFailure(.refused, "transfer \(number) is not granted by \(node) any more, or sent already")
            }
            state.outbound[number] = transfer
            return nil
        }
        if let refusal {
            transfer.timer?.cancel()
            throw refusal
        }
        match(number)
        return BulkSending(transfer: number, exchange: self, completion: completion)
    }

    /// Ends a transfer from us, and tells the other end. From any thread.
    func abandon(_ number: UInt64, _ failure: BulkFailure) {
        onLoop { [self] in
            let (isOurs, isGranted, peer) = state.withLock { state in
                let isGranted = number <= state.lastCredit
                return (state.end(outbound: number, .failure(failure)), isGranted, state.peer)
            }
            guard isOurs else { return }
            tellDrained()
            if isGranted { peer?.sendControl(.abandon, call: number, failure.asRemote) }
        }
    }

    // MARK: Sending: what comes

    /// The other end grants. On the loop.
    func granted(_ number: UInt64, byteCount: UInt64) throws(LaneEnd) {
        let fault = state.withLock { state -> String? in
            guard byteCount > 0, byteCount <= UInt64(Int.max >> 2) else { return "a grant of \(byteCount) bytes" }
            guard number == state.lastCredit + 1 else {
                return "grant \(number) comes after grant \(state.lastCredit)"
            }
            guard state.credits.count + state.outbound.count < Self.creditCountMax else {
                return "more than \(Self.creditCountMax) transfers are granted"
            }
            state.lastCredit = number
            state.credits[number] = Int(byteCount)
            return nil
        }
        if let fault { throw LaneEnd(kind: .violation, reason: fault) }
        match(number)
    }

    /// Brings a grant and what is to be sent for it together, once both are there.
    private func match(_ number: UInt64) {
        let (failure, peer) = state.withLock { state -> (BulkFailure?, Peer?) in
            guard let transfer = state.outbound[number], let byteCount = state.credits[number] else {
                return (nil, nil)
            }
            state.credits[number] = nil
            guard transfer.byteCount == byteCount else {
                return (
                    BulkFailure(
                        .wrongLength,
                        "\(transfer.byteCount) bytes for transfer \(number), which is granted \(byteCount)"), nil
                )
            }
            state.ready.append(transfer)
            return (nil, state.peer)
        }
        if let failure { return abandon(number, failure) }
        // On the loop, so that neither a caller nor its other lanes wait while this is written.
        guard let peer else { return }
        loop.execute {
            peer.pacer.bulkBegins()
            peer[.bulk].outbound.kick()
        }
    }

    /// The receiver takes its grant back. On the loop.
    func revoked(_ number: UInt64, _ failure: RemoteFailure) throws(LaneEnd) {
        let isGranted = state.withLock { state in
            guard number <= state.lastCredit else { return false }
            state.credits[number] = nil
            _ = state.end(outbound: number, .failure(BulkFailure(failure)))
            return true
        }
        guard isGranted else {
            throw LaneEnd(kind: .violation, reason: "transfer \(number), which was never granted, is revoked")
        }
        tellDrained()
    }

    /// All of a transfer is there. On the loop.
    func landed(_ number: UInt64) throws(LaneEnd) {
        let isRight = state.withLock { state in
            // Unknown: it was given up here meanwhile.
            guard let transfer = state.outbound[number] else { return number <= state.lastCredit }
            guard transfer.isQueued else { return false }
            return state.end(outbound: number, .success(()))
        }
        guard isRight else {
            throw LaneEnd(kind: .violation, reason: "transfer \(number) has landed before it was sent")
        }
        tellDrained()
    }

    // MARK: Sending: the lane's queue

    var isSending: Bool { state.withLock { !$0.ready.isEmpty || !$0.outbound.isEmpty } }

    func fill(_ bytes: inout OutboundBytes) -> Bool {
        state.withLock { state in
            if compresses(&state) { return fillEncoded(&bytes, &state) }
            guard let transfer = state.ready.first, let peer = state.peer else { return false }
            withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.partCountMax) { parts in
                let piece = transfer.cursor.gather(into: parts, byteCountMax: Self.pieceByteCountMax)
                bytes.append(
                    peer.piece(of: transfer.number, at: transfer.cursor.position, parts[..<piece.partCount]))
                sample(transfer, piece.byteCount, &state)
                transfer.cursor.take(piece.byteCount) { bytes.append($0) }
            }
            transfer.queuedUpTo = bytes.appendedByteCount
            // Those of several transfers take turns.
            state.ready.removeFirst()
            if !transfer.isQueued { state.ready.append(transfer) }
            return true
        }
    }

    func wrote(upTo count: UInt64) {
        let mustTell = state.withLock { state in
            state.writtenUpTo = count
            return !state.draining.isEmpty
        }
        if mustTell { onLoop { self.tellDrained() } }
    }

    /// Tells the ends of transfers whose buffers nobody reads any more.
    func tellDrained() {
        let drained = state.withLock { state -> [OutboundTransfer] in
            guard !state.draining.isEmpty else { return [] }
            let drained = state.draining.filter { $0.isDrained(writtenUpTo: state.writtenUpTo) }
            state.draining.removeAll { $0.isDrained(writtenUpTo: state.writtenUpTo) }
            return drained
        }
        for transfer in drained { transfer.finish() }
    }

    // MARK: Ending

    /// The bulk lane is lost and will be made again. What was granted or on its way fails at both ends: each tells the
    /// other, which may have begun something since. On the loop.
    func laneWasLost(_ failure: BulkFailure) {
        let (granted, held, peer) = state.withLock { state in
            (
                state.inbound.keys.sorted(),
                (Array(state.credits.keys) + state.outbound.keys.filter { $0 <= state.lastCredit }).sorted(), state.peer
            )
        }
        fail(failure, isFinal: false)
        for number in granted { peer?.sendControl(.revoke, call: number, failure.asRemote) }
        for number in held { peer?.sendControl(.abandon, call: number, failure.asRemote) }
    }

    /// All that is granted or on its way fails; with `isFinal` all that is asked for later as well. On the loop, when
    /// nothing more is read from the lane or written to it.
    func fail(_ failure: BulkFailure, isFinal: Bool) {
        let (inbound, outbound) = state.withLock { state -> ([InboundTransfer], [OutboundTransfer]) in
            if isFinal { state.closed = failure }
            let ends = (Array(state.inbound.values), Array(state.outbound.values) + state.draining)
            state.inbound = [:]
            state.grantedByteCount = 0
            state.credits = [:]
            state.outbound = [:]
            state.ready = []
            state.draining = []
            state.writtenUpTo = 0
            state.compressing.prepared = []
            return ends
        }
        for transfer in inbound.sorted(by: { $0.number < $1.number }) { transfer.end(.failure(failure)) }
        for transfer in outbound.sorted(by: { $0.number < $1.number }) {
            transfer.outcome = transfer.outcome ?? .failure(failure)
            transfer.finish()
        }
    }

    private func lost(_ why: String) -> BulkFailure {
        BulkFailure(.lost, "there is no connection to \(node): \(why)")
    }

    /// For tests and metrics: transfers granted, credits unused, and transfers being sent.
    var counts: (granted: Int, credits: Int, sending: Int) {
        state.withLock { ($0.inbound.count, $0.credits.count, $0.outbound.count + $0.draining.count) }
    }
}

extension BulkExchange.State {
    fileprivate mutating func remove(inbound number: UInt64) -> InboundTransfer? {
        guard let transfer = inbound.removeValue(forKey: number) else { return nil }
        grantedByteCount -= transfer.byteCount
        return transfer
    }

    /// False when there is none. Its end is told when its buffers are free.
    fileprivate mutating func end(outbound number: UInt64, _ outcome: BulkCompletion.Outcome) -> Bool {
        guard let transfer = outbound.removeValue(forKey: number) else { return false }
        credits[number] = nil
        ready.removeAll { $0 === transfer }
        compressing.prepared.removeAll { $0.transfer === transfer }
        transfer.outcome = outcome
        draining.append(transfer)
        return true
    }
}

extension OutboundTransfer {
    fileprivate func finish() {
        timer?.cancel()
        completion.finish(outcome ?? .failure(BulkFailure(.cancelled, "transfer \(number) was given up")))
    }
}
