import Distributed
import Synchronization
import Wire

/// The distributed actors of this process by object number, held weakly. From any thread.
final class ActorDirectory: Sendable {
    struct Entry: Sendable {
        let type: ObjectIdentifier
        /// Nil when the actor is gone.
        let actor: @Sendable () -> (any DistributedActor)?
        /// Executes a method; false when the actor is gone.
        let execute: @Sendable (ClusterActorSystem, MethodTable.Entry, any WireValue, ReplyHandler) async throws -> Bool
    }

    private struct State: Sendable {
        var entries: [UInt64: Entry] = [:]
        /// Numbers without a meaning begin above all well-known ones.
        var lastNumber: UInt64 = 1 << 32
    }
    private let state = Mutex(State())

    func nextNumber() -> UInt64 {
        state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
    }

    /// An actor takes the place of an earlier one with the same number.
    func add<Act: DistributedActor>(_ actor: Act) where Act.ID == ActorAddress {
        let entry = Entry(type: ObjectIdentifier(Act.self), actor: { [weak actor] in actor }) {
            [weak actor] system, method, message, handler in
            guard let actor else { return false }
            if let invoke = method.invoke {
                // Calling the method as it is spares a look at its mangled name.
                let result = try await invoke(actor, message)
                await handler.reply(result)
                return true
            }
            var decoder = MessageDecoder(message)
            try await system.executeDistributedTarget(
                on: actor, target: RemoteCallTarget(method.target), invocationDecoder: &decoder, handler: handler)
            return true
        }
        state.withLock { $0.entries[actor.id.object] = entry }
    }

    /// An actor goes: forgets it, but not a later one with its number.
    func remove(_ object: UInt64) {
        guard let entry = self[object], entry.actor() == nil else { return }
        state.withLock { state in
            if let entry = state.entries[object], entry.actor() == nil { state.entries[object] = nil }
        }
    }

    subscript(object: UInt64) -> Entry? { state.withLock { $0.entries[object] } }
}
