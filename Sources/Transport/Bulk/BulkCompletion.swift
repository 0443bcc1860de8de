import Synchronization

/// The end of a transfer: happens once, is told to one block and to any number of tasks.
final class BulkCompletion: Sendable {
    typealias Outcome = Result<Void, BulkFailure>

    private struct State: Sendable {
        var outcome: Outcome?
        var whenDone: (@Sendable (Outcome) -> Void)?
        var waiters: [CheckedContinuation<Outcome, Never>] = []
    }
    private let state: Mutex<State>

    init(whenDone: (@Sendable (Outcome) -> Void)?) { state = Mutex(State(whenDone: whenDone)) }

    /// Later ends than the first are ignored.
    func finish(_ outcome: Outcome) {
        typealias Waiters = [CheckedContinuation<Outcome, Never>]
        let (whenDone, waiters) = state.withLock { state -> ((@Sendable (Outcome) -> Void)?, Waiters) in
            guard state.outcome == nil else { return (nil, []) }
            state.outcome = outcome
            defer { (state.whenDone, state.waiters) = (nil, []) }
            return (state.whenDone, state.waiters)
        }
        whenDone?(outcome)
        for waiter in waiters { waiter.resume(returning: outcome) }
    }

    func wait() async throws(BulkFailure) {
        let outcome = await withCheckedContinuation { continuation in
            let outcome = state.withLock { state -> Outcome? in
                if state.outcome == nil { state.waiters.append(continuation) }
                return state.outcome
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
        try outcome.get()
    }
}
