import Synchronization
import Wire

/// The calls to one peer that wait for their replies. From any thread; whoever takes a call out resumes its caller.
final class CallTable: Sendable {
    struct Waiting: Sendable {
        let continuation: CheckedContinuation<any WireValue, any Error>
        let resultType: any WireValue.Type
        let timer: LoopTimer
        let lane: Lane
    }

    private struct State: Sendable {
        var waiting: [UInt64: Waiting] = [:]
        var lastNumber: UInt64 = 0
        var closed: TransportError?
    }
    private let state = Mutex(State())

    /// Enters a call and returns its number: 1, 2, 3...
    func nextNumber() -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    /// Returns why no call is taken any more, if so.
    func add(_ call: UInt64, _ waiting: Waiting) -> TransportError? {
        state.withLock { state in
            if let closed = state.closed { return closed }
            state.waiting[call] = waiting
            return nil
        }
    }

    func take(_ call: UInt64) -> Waiting? {
        let waiting = state.withLock { $0.waiting.removeValue(forKey: call) }
        waiting?.timer.cancel()
        return waiting
    }

    /// The calls that wait on one lane fail with `error`.
    func fail(on lane: Lane, _ error: TransportError) {
        let failed = state.withLock { state -> [Waiting] in
            let failed = state.waiting.filter { $0.value.lane == lane }
            for number in failed.keys { state.waiting[number] = nil }
            return Array(failed.values)
        }
        for call in failed {
            call.timer.cancel()
            call.continuation.resume(throwing: error)
        }
    }

    /// All waiting calls and all later ones fail with `error`.
    func close(_ error: TransportError) {
        let waiting = state.withLock { state -> [UInt64: Waiting] in
            state.closed = error
            defer { state.waiting = [:] }
            return state.waiting
        }
        for call in waiting.values {
            call.timer.cancel()
            call.continuation.resume(throwing: error)
        }
    }

    /// Why no call is taken any more, if so.
    var closed: TransportError? { state.withLock { $0.closed } }

    var count: Int { state.withLock { $0.waiting.count } }
}
