import Synchronization

/// Lets at most so many requests run at once; one waiter at a time.
final class ConnectionGate: Sendable {
    private struct State {
        /// Nil: no limit.
        var freeCount: Int?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>

    init(limit: Int?) { state = Mutex(State(freeCount: limit)) }

    /// Whether it had to wait.
    func enter() async -> Bool {
        let isFree = state.withLock { state in
            guard let free = state.freeCount else { return true }
            guard free > 0 else { return false }
            state.freeCount = free - 1
            return true
        }
        if isFree { return false }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                // Somebody may have left in between.
                if let free = state.freeCount, free > 0 {
                    state.freeCount = free - 1
                    return true
                }
                state.waiter = continuation
                return false
            }
            if isFree { continuation.resume() }
        }
        return true
    }

    func leave() {
        let waiter = state.withLock { state in
            if let waiter = state.waiter {
                state.waiter = nil
                return Optional(waiter)
            }
            if let free = state.freeCount { state.freeCount = free + 1 }
            return nil
        }
        waiter?.resume()
    }
}
