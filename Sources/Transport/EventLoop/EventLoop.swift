import CPlatform
import Glibc
import Synchronization
public import Vocabulary

/// One thread that waits for sockets and timers, and runs the actors and tasks that are bound to it.
///
/// A distributed actor returns the loop as its `unownedExecutor`; a task prefers it by `Task(executorPreference:)`, so
/// that its calls to such actors change no thread. Work on the loop must be short and never block. `stop()` ends the
/// thread; a loop that is not stopped lives on.
public final class EventLoop: SerialExecutor, TaskExecutor, Sendable {
    public let name: String
    let poll: Int32
    private let wakeup: Int32
    /// `pthread_self()` of the thread that runs now; 0 when none does.
    private let thread = Atomic<UInt>(0)
    private let state = Mutex(State())
    private let handlers = Mutex(Handlers())

    private enum Work: Sendable {
        case job(UnownedJob)
        case block(@Sendable () -> Void)
    }

    private struct State: Sendable {
        var work: [Work] = []
        var timers = TimerHeap()
        /// The thread waits, or is about to: who adds something must wake it.
        var isWaiting = false
        var isStopping = false
        /// A thread runs, the loop's own or the one that does what came after its end.
        var hasThread = true
        /// Who waits for the loop's own thread to end.
        var stopWaiters: [@Sendable () -> Void] = []

        /// Whether the thread must be woken; only the first who asks is told so.
        mutating func takeWaiting() -> Bool {
            defer { isWaiting = false }
            return isWaiting
        }
    }

    private struct Handlers: Sendable {
        var byToken: [UInt64: any ReadinessHandler] = [:]
        var lastToken: UInt64 = 0
    }

    /// Batches of jobs in a row before sockets are looked at again: a call is several hops from job to job.
    private static let batchCountMax = 16

    /// How long the thread looks for events again and again before it sleeps.
    private let busyPoll: Instant.Span
    private static let busyPollMicrosecondsMax = 20

    /// - Parameters:
    ///   - name: of the thread; 15 bytes are shown by the system's tools.
    ///   - busyPollMicroseconds: after each event the thread looks for the next one for so long, at most 20, before it
    ///     sleeps. An answer that comes meanwhile does not wait for the thread to wake up; a core is busy for that.
    ///     0 leaves it out.
    public init(name: String = "shardline-loop", busyPollMicroseconds: Int = 0) throws(TransportError) {
        self.name = name
        let microseconds = min(max(0, busyPollMicroseconds), Self.busyPollMicrosecondsMax)
        busyPoll = Instant.Span(nanoseconds: UInt64(microseconds) * 1000)
        poll = sl_poll_create()
        guard poll >= 0 else { throw .ofSystem("epoll_create1") }
        wakeup = sl_poll_create_wakeup()
        guard wakeup >= 0, sl_poll_add(poll, wakeup, 0, SL_POLL_READABLE) == 0 else {
            let error = TransportError.ofSystem("eventfd")
            close(poll)
            if wakeup >= 0 { close(wakeup) }
            throw error
        }
        try start { loop in loop.run() }
    }

    deinit {
        close(wakeup)
        close(poll)
    }

    // MARK: Time

    /// The monotonic clock.
    public static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// Does `work` on the loop at `deadline` or up to about a millisecond later.
    @discardableResult
    public func schedule(at deadline: Instant, _ work: @escaping @Sendable () -> Void) -> LoopTimer {
        let timer = LoopTimer(deadline: deadline, loop: self, work: work)
        let mustWake = state.withLock { state in
            state.timers.insert(timer)
            return state.timers.first === timer && state.takeWaiting()
        }
        if mustWake { wake() }
        return timer
    }

    @discardableResult
    public func schedule(after span: Instant.Span, _ work: @escaping @Sendable () -> Void) -> LoopTimer {
        schedule(at: Self.now + span, work)
    }

    /// Suspends the task; cancellation does not end it early.
    func sleep(_ span: Instant.Span) async {
        await withCheckedContinuation { continuation in
            _ = schedule(after: span) { continuation.resume() }
        }
    }

    func cancel(_ timer: LoopTimer) {
        state.withLock { $0.timers.remove(timer) }
    }

    // MARK: Work

    public var isInLoop: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Does `work` on the loop, soon, after what was given to it before.
    public func execute(_ work: @escaping @Sendable () -> Void) { add(.block(work)) }

    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    public func checkIsolated() {
        precondition(isInLoop, "not on the event loop \(name)")
    }

    public func isIsolatingCurrentContext() -> Bool? { isInLoop }

    private func add(_ work: Work) {
        let (mustWake, mustStart) = state.withLock { state in
            state.work.append(work)
            defer { state.hasThread = true }
            return (state.takeWaiting(), !state.hasThread)
        }
        if mustWake { wake() }
        // After `stop()` tasks may still have to come to their ends, one after another as ever.
        if mustStart {
            do {
                try start { $0.finishLateWork() }
            } catch {
                preconditionFailure("no thread for the late work of the event loop \(name): \(error)")
            }
        }
    }

    private func wake() {
        guard !isInLoop else { return }
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }

    /// Ends the loop: no more sockets and timers are served. Waits for the thread, unless it is called on it. Tasks
    /// that are bound to the loop can still run.
    public func stop() {
        let done = Latch()
        let isInLoop = isInLoop
        let (mustWake, mustWait) = state.withLock { state -> (Bool, Bool) in
            if state.isStopping, state.stopWaiters.isEmpty { return (false, false) }
            state.isStopping = true
            state.stopWaiters.append { done.open() }
            return (state.takeWaiting(), !isInLoop)
        }
        if mustWake { wake() }
        if mustWait { done.wait() }
    }

    // MARK: Descriptors

    func watch(
        _ descriptor: Int32, for interest: Readiness, handler: any ReadinessHandler
    ) throws(TransportError) -> Watch {
        let token = handlers.withLock { handlers in
            handlers.lastToken += 1
            handlers.byToken[handlers.lastToken] = handler
            return handlers.lastToken
        }
        guard sl_poll_add(poll, descriptor, token, interest.rawValue) == 0 else {
            let error = TransportError.ofSystem("epoll_ctl")
            forget(token)
            throw error
        }
        return Watch(loop: self, descriptor: descriptor, token: token, interest: interest)
    }

    func forget(_ token: UInt64) {
        // The handler may go with this reference, so not under the lock.
        let handler = handlers.withLock { $0.byToken.removeValue(forKey: token) }
        extendLifetime(handler)
    }
}

// MARK: - The thread

extension EventLoop {
    private final class Entry: Sendable {
        let loop: EventLoop
        let body: @Sendable (EventLoop) -> Void
        init(loop: EventLoop, body: @escaping @Sendable (EventLoop) -> Void) {
            self.loop = loop
            self.body = body
        }
    }

    private func start(_ body: @escaping @Sendable (EventLoop) -> Void) throws(TransportError) {
        let entry = Unmanaged.passRetained(Entry(loop: self, body: body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let entry = Unmanaged<Entry>.fromOpaque(context).takeRetainedValue()
                entry.body(entry.loop)
                return nil
            }, entry.toOpaque())
        guard result == 0 else {
            entry.release()
            throw .ofSystem("pthread_create", errno: result)
        }
        pthread_detach(thread)
    }

    private func run() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        sl_poll_name_thread(name)
        var events = [sl_poll_event](repeating: sl_poll_event(), count: Int(sl_poll_event_count_max))
        var batch: [Work] = []
        while true {
            let count = wait(for: &events)
            state.withLock { $0.isWaiting = false }
            for event in events.prefix(Int(max(0, count))) { dispatch(event) }
            runTimers()
            for _ in 0..<Self.batchCountMax {
                guard runBatch(&batch) else { break }
            }
            if endIfStopping(&batch) { return }
        }
    }

    private func wait(for events: inout [sl_poll_event]) -> Int32 {
        if busyPoll.nanoseconds > 0 {
            let end = Self.now + busyPoll
            while state.withLock({ $0.work.isEmpty && !$0.isStopping }), Self.now < end {
                let count = sl_poll_wait(poll, &events, 0)
                if count != 0 { return count }
                sl_thread_pause()
            }
        }
        return sl_poll_wait(poll, &events, waitMilliseconds())
    }

    private func dispatch(_ event: sl_poll_event) {
        guard event.token != 0 else {
            var count: UInt64 = 0
            _ = read(wakeup, &count, 8)
            return
        }
        let handler = handlers.withLock { $0.byToken[event.token] }
        handler?.ready(for: Readiness(rawValue: event.events))
    }

    private func waitMilliseconds() -> Int32 {
        state.withLock { state in
            guard state.work.isEmpty, !state.isStopping else { return 0 }
            state.isWaiting = true
            guard let first = state.timers.first else { return -1 }
            let nanoseconds = (first.deadline - Self.now).nanoseconds
            return Int32(min((nanoseconds + 999_999) / 1_000_000, 3_600_000))
        }
    }

    private func runTimers() {
        let now = Self.now
        while true {
            let due = state.withLock { state -> LoopTimer? in
                guard let first = state.timers.first, first.deadline <= now else { return nil }
                state.timers.remove(first)
                return first
            }
            guard let due else { return }
            due.work()
        }
    }

    /// Does what waits now; false when nothing did.
    private func runBatch(_ batch: inout [Work]) -> Bool {
        // The two arrays change places, so that neither has to grow again.
        state.withLock { swap(&$0.work, &batch) }
        guard !batch.isEmpty else { return false }
        defer { batch.removeAll(keepingCapacity: true) }
        for work in batch {
            switch work {
            case .job(let job):
                job.runSynchronously(
                    isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
            case .block(let block): block()
            }
        }
        return true
    }

    private func endIfStopping(_ batch: inout [Work]) -> Bool {
        guard state.withLock({ $0.isStopping }) else { return false }
        while runBatch(&batch) {}
        let waiters = state.withLock { state -> [@Sendable () -> Void]? in
            guard state.work.isEmpty else { return nil }
            thread.store(0, ordering: .relaxed)
            state.hasThread = false
            state.timers.removeAll()
            defer { state.stopWaiters = [] }
            return state.stopWaiters
        }
        guard let waiters else { return false }
        for waiter in waiters { waiter() }
        return true
    }

    private func finishLateWork() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
        var batch: [Work] = []
        while true {
            while runBatch(&batch) {}
            let isDone = state.withLock { state in
                guard state.work.isEmpty else { return false }
                thread.store(0, ordering: .relaxed)
                state.hasThread = false
                return true
            }
            if isDone { return }
        }
    }
}
