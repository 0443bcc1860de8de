import Distributed
import Memory
import Synchronization
import Transport
import Vocabulary
import Wire

/// Answers, passes on, and swallows.
distributed actor WireActor {
    typealias ActorSystem = ClusterActorSystem

    nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }
    private let onHop: @Sendable (WireProbe, ClusterActorSystem) async throws -> Void

    static let object: UInt64 = 7

    init(
        actorSystem: ClusterActorSystem,
        onHop: @escaping @Sendable (WireProbe, ClusterActorSystem) async throws -> Void
    ) {
        self.actorSystem = actorSystem
        self.onHop = onHop
    }

    distributed func echo(_ probe: WireProbe) -> WireProbe { probe }

    distributed func hop(_ probe: WireProbe) async throws { try await onHop(probe, actorSystem) }

    static let methods: [DistributedMethod] = [
        DistributedMethod(number: 1, name: "WireActor.echo", lane: .activations) {
            (actor: WireActor, probe: WireProbe) in try await actor.echo(probe)
        },
        DistributedMethod(number: 2, name: "WireActor.hop", lane: .activations, isOneWay: true) {
            (actor: WireActor, probe: WireProbe) in try await actor.hop(probe)
        },
    ]

    static func remote(_ node: NodeID, _ system: ClusterActorSystem) throws -> WireActor {
        try WireActor.resolve(id: ActorAddress(node: node, object: object), using: system)
    }
}
