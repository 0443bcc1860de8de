import Synchronization
import Wire

/// What must not be lost with a control lane: one-way messages and the frames of bulk transfers. They are kept until the
/// other end has said that it received them, and sent again, in their order, on a lane that is made again. Both ends
/// count them, over all control lanes of the link. From any thread.
final class KeptMessages: Sendable {
    fileprivate struct State: Sendable {
        /// Nil while there is none.
        var lane: LaneConnection?
        /// Sent and not acknowledged; the first has the number `acknowledged + 1`.
        var frames: [OutboundFrame] = []
        var head = 0
        var acknowledged: UInt64 = 0
        var byteCount = 0
        // Of the other end's.
        var received: UInt64 = 0
        var unacknowledgedCount = 0
        var unacknowledgedByteCount = 0

        var count: Int { frames.count - head }
        var sent: UInt64 { acknowledged + UInt64(count) }
    }
    private let state: Mutex<State>

    /// Beyond this, senders wait for acknowledgements.
    private static let countMax = 4096
    private static let byteCountMax = 8 << 20
    /// After so many frames or bytes an acknowledgement is due at once.
    private static let acknowledgedCount = 64
    private static let acknowledgedByteCount = 256 << 10

    init(lane: LaneConnection) { state = Mutex(State(lane: lane)) }

    var isFull: Bool {
        state.withLock { $0.count >= Self.countMax || $0.byteCount >= Self.byteCountMax }
    }

    // MARK: Sending

    /// Queues a frame on the lane, or keeps it for the next one.
    func send(_ frame: OutboundFrame) {
        state.withLock { state in
            state.frames.append(frame)
            state.byteCount += frame.byteCount
            // Under the lock, so that frames go out in the order of their numbers.
            _ = state.lane?.outbound.placeUrgently(frame)
        }
    }

    /// The other end has received so many. False when so many were never sent.
    func acknowledge(_ number: UInt64) -> Bool {
        state.withLock { $0.acknowledge(number) }
    }

    /// The lane is gone; what is sent now waits for the next one.
    func detach() { state.withLock { $0.lane = nil } }

    /// Sends again what the other end has not received. False when its number cannot be.
    func resume(on lane: LaneConnection, received: UInt64) -> Bool {
        state.withLock { state in
            guard received >= state.acknowledged, state.acknowledge(received) else { return false }
            state.lane = lane
            for frame in state.frames[state.head...] { lane.outbound.placeUrgently(frame) }
            return true
        }
    }

    func canResume(received: UInt64) -> Bool {
        state.withLock { (($0.acknowledged)...($0.sent)).contains(received) }
    }

    // MARK: Receiving

    /// Books a frame; returns what is to be acknowledged now, if anything.
    func received(byteCount: Int) -> UInt64? {
        state.withLock { state in
            state.received += 1
            state.unacknowledgedCount += 1
            state.unacknowledgedByteCount += byteCount
            let isDue =
                state.unacknowledgedCount >= Self.acknowledgedCount
                || state.unacknowledgedByteCount >= Self.acknowledgedByteCount
            return isDue ? state.takeAcknowledgement() : nil
        }
    }

    /// What is not acknowledged yet, if anything.
    func takeAcknowledgement() -> UInt64? {
        state.withLock { $0.unacknowledgedCount > 0 ? $0.takeAcknowledgement() : nil }
    }

    /// For the greeting of a lane that is made again, which acknowledges all.
    var receivedCount: UInt64 { state.withLock { $0.takeAcknowledgement() } }
}

extension KeptMessages.State {
    fileprivate mutating func acknowledge(_ number: UInt64) -> Bool {
        guard number <= sent else { return false }
        while acknowledged < number {
            byteCount -= frames[head].byteCount
            head += 1
            acknowledged += 1
        }
        if head == frames.count {
            frames.removeAll(keepingCapacity: frames.count <= 1024)
            head = 0
        } else if head > 64, head > frames.count / 2 {
            frames.removeFirst(head)
            head = 0
        }
        return true
    }

    fileprivate mutating func takeAcknowledgement() -> UInt64 {
        unacknowledgedCount = 0
        unacknowledgedByteCount = 0
        return received
    }
}
