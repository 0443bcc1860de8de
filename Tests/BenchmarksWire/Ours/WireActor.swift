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

    private let landing: BulkLandingPlaces?

    static let object: UInt64 = 7

    init(
        actorSystem: ClusterActorSystem, landing: BulkLandingPlaces?,
        onHop: @escaping @Sendable (WireProbe, ClusterActorSystem) async throws -> Void
    ) {
        self.actorSystem = actorSystem
        self.onHop = onHop
        self.landing = landing
    }

    distributed func echo(_ probe: WireProbe) -> WireProbe { probe }

    distributed func hop(_ probe: WireProbe) async throws { try await onHop(probe, actorSystem) }

    /// Grants a landing place of `number` bytes to the caller, and says under which number.
    distributed func grant(_ probe: WireProbe) throws -> WireProbe {
        guard let landing, let sender = ClusterActorSystem.sender else {
            throw RemoteFailure(code: RemoteFailure.Code.refused, message: "this end takes no bulk")
        }
        let place = try landing.take(byteCount: Int(probe.number))
        return WireProbe(try actorSystem.grantBulk(from: sender.node, into: [place]).transfer)
    }

    static let methods: [DistributedMethod] = [
        DistributedMethod(number: 1, name: "WireActor.echo", lane: .activations) {
            (actor: WireActor, probe: WireProbe) in try await actor.echo(probe)
        },
        DistributedMethod(number: 2, name: "WireActor.hop", lane: .activations, isOneWay: true) {
            (actor: WireActor, probe: WireProbe) in try await actor.hop(probe)
        },
        DistributedMethod(number: 3, name: "WireActor.grant", lane: .control) {
            (actor: WireActor, probe: WireProbe) in try await actor.grant(probe)
        },
    ]

    static func remote(_ node: NodeID, _ system: ClusterActorSystem) throws -> WireActor {
        try WireActor.resolve(id: ActorAddress(node: node, object: object), using: system)
    }
}
