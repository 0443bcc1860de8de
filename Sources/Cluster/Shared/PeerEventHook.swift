import Synchronization
import Transport

/// Lets the actor system be made before those who listen to its peers; what comes earlier is kept for them.
final class PeerEventHook: Sendable {
    private struct State {
        var listener: (@Sendable (PeerEvent) -> Void)?
        var early: [PeerEvent] = []
    }
    private let state = Mutex(State())

    func set(_ listener: @escaping @Sendable (PeerEvent) -> Void) {
        let early = state.withLock { state in
            state.listener = listener
            defer { state.early = [] }
            return state.early
        }
        for event in early { listener(event) }
    }

    func call(_ event: PeerEvent) {
        let listener = state.withLock { state in
            if state.listener == nil { state.early.append(event) }
            return state.listener
        }
        listener?(event)
    }
}
