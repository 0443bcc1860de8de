import Glibc
import Synchronization
import Vocabulary

/// What one lane has to send, in order, within a limit of bytes. Whoever adds a frame writes, unless another thread
/// does already or the socket is full; then the loop goes on when there is room.
final class OutboundQueue: Sendable {
    private let stream: any ByteStream
    private let byteCountMax: Int
    private let state: Mutex<State>
    private let watch = Mutex<Watch?>(nil)
    private let onBroken = Mutex<(@Sendable (String) -> Void)?>(nil)
    private let parts: PartList

    typealias WhenQueued = @Sendable (Result<Void, any Error>) -> Void

    enum Placing: Sendable {
        case queued
        /// No room: the frame waits for it under its ticket.
        case parked
        case closed(TransportError)
    }

    private struct Parked: Sendable {
        let frame: OutboundFrame
        let ticket: UInt64
        let whenQueued: WhenQueued?
    }

    private struct State: Sendable {
        var bytes = OutboundBytes()
        /// Sends when little else is queued.
        var source: (any BulkSource)?
        var parked: [Parked] = []
        var lastTicket: UInt64 = 0
        /// A thread is writing; it sees what is added meanwhile.
        var isWriting = false
        /// The loop will be told when the socket takes more.
        var isBlocked = false
        /// Nothing more is taken.
        var closed: TransportError?
        /// What was taken still goes out, then writing is finished.
        var isFinishing = false

        /// Nothing goes out any more.
        var isDead: Bool { closed != nil && !isFinishing }
    }

    /// `@unchecked Sendable`: only the one thread that writes uses it.
    private struct PartList: @unchecked Sendable {
        let parts = UnsafeMutableBufferPointer<iovec>.allocate(capacity: 64)
    }

    /// At once, so that a thread, above all the loop's, gets to other work.
    private static let writeByteCountMax = 256 << 10
    /// With less than this queued, the source is asked for more.
    private static let refillByteCount = 256 << 10

    init(stream: any ByteStream, byteCountMax: Int) {
        self.stream = stream
        self.byteCountMax = byteCountMax
        // Until `socketIsWritable` says that a handshake is over, frames only gather.
        state = Mutex(State(isBlocked: !stream.isReady))
        parts = PartList()
    }

    deinit { parts.parts.deallocate() }

    /// Must come before the first frame.
    func attach(_ watch: Watch, onBroken: @escaping @Sendable (String) -> Void) {
        self.watch.withLock { $0 = watch }
        self.onBroken.withLock { $0 = onBroken }
    }

    func attach(_ source: any BulkSource) { state.withLock { $0.source = source } }

    // MARK: Adding

    func makeTicket() -> UInt64 {
        state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
    }

    /// Queues the frame, or parks it while there is no room; `whenQueued` is called for a parked frame alone.
    func place(_ frame: OutboundFrame, ticket: UInt64, whenQueued: WhenQueued? = nil) -> Placing {
        let (placing, work) = state.withLock { state -> (Placing, Work) in
            if let closed = state.closed { return (.closed(closed), .rest) }
            guard state.bytes.byteCount < byteCountMax, state.parked.isEmpty else {
                state.parked.append(Parked(frame: frame, ticket: ticket, whenQueued: whenQueued))
                return (.parked, .rest)
            }
            state.bytes.append(frame)
            return (.queued, begin(&state))
        }
        perform(work)
        return placing
    }

    /// Queues the frame if there is room for it now.
    func placeAtOnce(_ frame: OutboundFrame) throws(TransportError) -> Bool {
        let (isQueued, closed, work) = state.withLock { state -> (Bool, TransportError?, Work) in
            if let closed = state.closed { return (false, closed, .rest) }
            guard state.bytes.byteCount < byteCountMax, state.parked.isEmpty else { return (false, nil, .rest) }
            state.bytes.append(frame)
            return (true, nil, begin(&state))
        }
        if let closed { throw closed }
        perform(work)
        return isQueued
    }

    /// Queues a small frame beyond the limit. False when the lane is closed.
    @discardableResult
    func placeUrgently(_ frame: OutboundFrame) -> Bool {
        let work = state.withLock { state -> Work? in
            guard state.closed == nil else { return nil }
            state.bytes.append(frame)
            return begin(&state)
        }
        guard let work else { return false }
        perform(work)
        return true
    }

    /// Takes a parked frame back; false when it is not parked any more.
    @discardableResult
    func withdraw(_ ticket: UInt64, error: any Error) -> Bool {
        let parked = state.withLock { state -> Parked? in
            guard let index = state.parked.firstIndex(where: { $0.ticket == ticket }) else { return nil }
            return state.parked.remove(at: index)
        }
        parked?.whenQueued?(.failure(error))
        return parked != nil
    }

    /// Queues the frame; suspends while there is no room, but not beyond `deadline`.
    func enqueue(_ frame: OutboundFrame, deadline: Instant?, loop: EventLoop, peer: NodeID) async throws {
        let ticket = makeTicket()
        let timer = Mutex<LoopTimer?>(nil)
        defer { timer.withLock { $0 }?.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                switch place(frame, ticket: ticket, whenQueued: { continuation.resume(with: $0) }) {
                case .queued: continuation.resume()
                case .closed(let error): continuation.resume(throwing: error)
                case .parked:
                    if let deadline {
                        let error = TransportError(
                            .deadlineExceeded, "\(peer) did not take a message within its deadline", peer: peer)
                        timer.withLock {
                            $0 = loop.schedule(at: deadline) { [weak self] in self?.withdraw(ticket, error: error) }
                        }
                    }
                    if Task.isCancelled { withdraw(ticket, error: CancellationError()) }
                }
            }
        } onCancel: {
            withdraw(ticket, error: CancellationError())
        }
    }

    var queuedByteCount: Int { state.withLock { $0.bytes.byteCount } }

    /// The source has something to send.
    func kick() { flush() }

    // MARK: Writing

    /// The socket takes bytes again. On the loop.
    func socketIsWritable() {
        switch stream.flush() {
        case .blocked: return
        case .failed(let reason): return fail(reason)
        case .bytes, .ended: break
        }
        state.withLock { $0.isBlocked = false }
        flush()
        state.withLock { state in
            // Under the lock, so that a thread that is blocked meanwhile does not have its watch taken away.
            if !state.isBlocked, !stream.hasUnsentBytes { watch.withLock { $0 }?.change(removing: .writable) }
        }
    }

    /// What the thread that asked has to do now.
    private enum Work: Sendable {
        case write(partCount: Int, byteCount: Int)
        case finish
        case rest
    }

    private func flush() { perform(state.withLock { begin(&$0) }) }

    /// Makes the caller the one who writes, if there is something to write and nobody does.
    private func begin(_ state: inout State) -> Work {
        guard !state.isWriting, !state.isBlocked, !state.isDead else { return .rest }
        state.isWriting = true
        return next(&state, budget: Self.writeByteCountMax)
    }

    private func next(_ state: inout State, budget: Int) -> Work {
        if state.isDead {
            state.bytes.removeAll()
        } else if let source = state.source, state.closed == nil {
            while state.bytes.byteCount < Self.refillByteCount, source.fill(&state.bytes) {}
        }
        guard state.bytes.byteCount > 0 else {
            state.isWriting = false
            return state.isFinishing ? .finish : .rest
        }
        let (partCount, byteCount) = state.bytes.gather(into: parts.parts, byteCountMax: budget)
        return .write(partCount: partCount, byteCount: byteCount)
    }

    private func perform(_ work: Work) {
        var work = work
        var budget = Self.writeByteCountMax
        while true {
            switch work {
            case .rest: return
            case .finish: return stream.finishWriting()
            case .write(let partCount, let byteCount):
                switch stream.write(from: UnsafeBufferPointer(rebasing: parts.parts[..<partCount])) {
                case .bytes(let count):
                    budget -= count
                    let isBlocked = count < byteCount || budget <= 0 || stream.hasUnsentBytes
                    work = wrote(count, isBlocked: isBlocked, budget: budget)
                case .blocked: work = wrote(0, isBlocked: true, budget: budget)
                case .ended: return fail("the connection has ended")
                case .failed(let reason): return fail(reason)
                }
            }
        }
    }

    private func wrote(_ count: Int, isBlocked: Bool, budget: Int) -> Work {
        let (work, admitted, source, written) = state.withLock {
            state -> (Work, [Parked], (any BulkSource)?, UInt64) in
            state.bytes.remove(count)
            let written = state.bytes.appendedByteCount - UInt64(state.bytes.byteCount)
            let admitted = admit(&state)
            guard isBlocked else { return (next(&state, budget: budget), admitted, state.source, written) }
            block(&state)
            return (.rest, admitted, state.source, written)
        }
        source?.wrote(upTo: written)
        for parked in admitted { parked.whenQueued?(.success(())) }
        return work
    }

    /// Queues what waited for room.
    private func admit(_ state: inout State) -> [Parked] {
        guard !state.parked.isEmpty, state.closed == nil else { return [] }
        var admittedCount = 0
        while admittedCount < state.parked.count, state.bytes.byteCount < byteCountMax {
            state.bytes.append(state.parked[admittedCount].frame)
            admittedCount += 1
        }
        defer { state.parked.removeFirst(admittedCount) }
        return Array(state.parked.prefix(admittedCount))
    }

    /// The loop goes on when the socket takes more.
    private func block(_ state: inout State) {
        state.isWriting = false
        if state.isDead { state.bytes.removeAll() }
        guard state.bytes.byteCount > 0 || state.isFinishing || stream.hasUnsentBytes else { return }
        state.isBlocked = true
        watch.withLock { $0 }?.change(adding: .writable)
    }

    private func fail(_ reason: String) {
        state.withLock { state in
            state.isWriting = false
            // Nobody tries again until the lane is closed, which this brings about.
            state.isBlocked = true
        }
        onBroken.withLock { $0 }?(reason)
    }

    // MARK: Ending

    /// What waits for room fails with `error`; what is queued is written, then the end of writing is told.
    func finish(_ error: TransportError) {
        refuse(error) { state in state.isFinishing = true }
        flush()
    }

    /// What waits for room fails with `error`, what is queued is dropped.
    func close(_ error: TransportError) {
        refuse(error) { state in
            state.isFinishing = false
            // A thread that is writing still reads from the bytes; it removes them itself.
            if !state.isWriting { state.bytes.removeAll() }
        }
        watch.withLock { $0 = nil }
        onBroken.withLock { $0 = nil }
    }

    private func refuse(_ error: TransportError, _ change: @Sendable (inout State) -> Void) {
        let parked = state.withLock { state -> [Parked] in
            if state.closed == nil { state.closed = error }
            state.source = nil
            change(&state)
            defer { state.parked = [] }
            return state.parked
        }
        for parked in parked { parked.whenQueued?(.failure(error)) }
    }
}
