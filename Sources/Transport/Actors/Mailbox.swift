import Vocabulary
import Wire

/// What one peer has sent to one actor, done one after another.
///
/// `@unchecked Sendable`: used on the loop's thread alone; its task prefers the loop.
final class Mailbox: @unchecked Sendable {
    struct Delivery: Sendable {
        let method: MethodTable.Entry
        let object: UInt64
        let message: any WireValue
        let lane: LaneConnection
        /// Nil for one-way messages.
        let call: InboundCall?
        let byteCount: Int
    }

    private let peer: Peer
    private let dispatcher: Dispatcher
    private let loop: EventLoop
    private let options: TransportOptions
    private let onCallDone: @Sendable (InboundCall) -> Void
    private let onIdle: @Sendable () -> Void
    /// Nil once begun.
    private var deliveries: [Delivery?] = []
    /// The first that is not begun.
    private var head = 0
    private var byteCount = 0
    private(set) var isRunning = false
    /// Not read until half of the mailbox is empty.
    private var pausedLanes: [LaneConnection] = []

    init(
        peer: Peer, dispatcher: Dispatcher, loop: EventLoop, options: TransportOptions,
        onCallDone: @escaping @Sendable (InboundCall) -> Void, onIdle: @escaping @Sendable () -> Void
    ) {
        self.peer = peer
        self.dispatcher = dispatcher
        self.loop = loop
        self.options = options
        self.onCallDone = onCallDone
        self.onIdle = onIdle
    }

    var isFull: Bool {
        deliveries.count - head >= options.mailboxFrameCountMax || byteCount >= options.mailboxByteCountMax
    }

    private var isHalfEmpty: Bool {
        deliveries.count - head <= options.mailboxFrameCountMax / 2 && byteCount <= options.mailboxByteCountMax / 2
    }

    func put(_ delivery: Delivery) {
        deliveries.append(delivery)
        byteCount += delivery.byteCount
        // Calls are refused instead, so that replies on their lane are not held up.
        if isFull, delivery.call == nil, delivery.lane.isReading {
            delivery.lane.pauseReading()
            pausedLanes.append(delivery.lane)
        }
        guard !isRunning else { return }
        isRunning = true
        runNext(atOnce: true)
    }

    /// Drops what is not begun.
    func removeAll(where isDropped: (Delivery) -> Bool) {
        let kept = deliveries.compactMap(\.self).filter { !isDropped($0) }
        deliveries = kept
        head = 0
        byteCount = kept.reduce(0) { $0 + $1.byteCount }
    }

    /// Begins the next delivery; its end begins the one after.
    ///
    /// - Parameter atOnce: on this thread's stack, up to where the method waits for the first time. Not for the end of
    ///   another delivery: the stack would grow with each.
    private func runNext(atOnce: Bool = false) {
        while let delivery = next() {
            guard let call = delivery.call else { return run(delivery, atOnce: atOnce) }
            guard call.isCancelled else { return run(delivery, call, atOnce: atOnce) }
            onCallDone(call)
        }
        isRunning = false
        onIdle()
    }

    /// A task of its own, so that the caller can cancel this call alone.
    private func run(_ delivery: Delivery, _ call: InboundCall, atOnce: Bool) {
        call.task = start(atOnce: atOnce) {
            await self.dispatcher.execute(delivery, from: self.peer)
            self.onCallDone(call)
            self.runNext()
        }
    }

    /// One-way messages that lie behind each other share a task.
    private func run(_ first: Delivery, atOnce: Bool) {
        start(atOnce: atOnce) {
            var message: Delivery? = first
            while let delivery = message {
                await self.dispatcher.execute(delivery, from: self.peer)
                message = self.nextIsCall ? nil : self.next()
            }
            self.runNext()
        }
    }

    @discardableResult
    private func start(
        atOnce: Bool, _ body: @escaping @Sendable () async -> Void
    ) -> Task<Void, Never> {
        atOnce
            ? Task.immediate(executorPreference: loop) { await body() }
            : Task(executorPreference: loop) { await body() }
    }

    private var nextIsCall: Bool { head < deliveries.count && deliveries[head]?.call != nil }

    private func next() -> Delivery? {
        guard head < deliveries.count, let delivery = deliveries[head] else {
            deliveries.removeAll(keepingCapacity: deliveries.count <= 64)
            head = 0
            return nil
        }
        deliveries[head] = nil
        head += 1
        byteCount -= delivery.byteCount
        if head >= 64, head > deliveries.count / 2 {
            deliveries.removeFirst(head)
            head = 0
        }
        if !pausedLanes.isEmpty, isHalfEmpty {
            let lanes = pausedLanes
            pausedLanes = []
            for lane in lanes { lane.resumeReading() }
        }
        return delivery
    }
}

/// A peer's call that is not answered yet.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class InboundCall: @unchecked Sendable {
    let number: UInt64
    let method: UInt16
    let lane: LaneConnection
    private(set) var isCancelled = false
    /// Once it is begun.
    var task: Task<Void, Never>?

    init(number: UInt64, method: UInt16, lane: LaneConnection) {
        self.number = number
        self.method = method
        self.lane = lane
    }

    func cancel() {
        isCancelled = true
        task?.cancel()
    }
}
