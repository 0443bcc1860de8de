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
        Task(executorPreference: loop) { await self.run() }
    }

    /// Drops what is not begun.
    func removeAll(where isDropped: (Delivery) -> Bool) {
        let kept = deliveries.compactMap(\.self).filter { !isDropped($0) }
        deliveries = kept
        head = 0
        byteCount = kept.reduce(0) { $0 + $1.byteCount }
    }

    private func run() async {
        while let delivery = next() {
            guard let call = delivery.call else {
                await dispatcher.execute(delivery, from: peer)
                continue
            }
            if !call.isCancelled {
                // A task of its own, so that the caller can cancel this call alone.
                let task = Task(executorPreference: loop) { await self.dispatcher.execute(delivery, from: self.peer) }
                call.task = task
                await task.value
            }
            onCallDone(call)
        }
        isRunning = false
        onIdle()
    }

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
