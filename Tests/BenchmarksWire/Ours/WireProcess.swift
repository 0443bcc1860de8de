import Identity
import Logging
import Memory
import Transport
import Vocabulary
import Wire

/// This process's loop, actor system and actor.
final class WireProcess: Sendable {
    let loop: EventLoop
    let pool = BufferPool(keptBytesMax: 1 << 30)
    let system: ClusterActorSystem
    let actor: WireActor
    /// Nil for plain text.
    let security: TransportSecurity?

    init(
        _ name: NodeID, credentials: Credentials? = nil, busyPollMicroseconds: Int = 0,
        change: (inout TransportOptions) -> Void = { _ in },
        onEvent: @escaping @Sendable (PeerEvent) -> Void = { _ in },
        landing: BulkLandingPlaces? = nil,
        onHop: @escaping @Sendable (WireProbe, ClusterActorSystem) async throws -> Void
    ) async throws {
        loop = try EventLoop(name: name.name, busyPollMicroseconds: busyPollMicroseconds)
        var options = TransportOptions()
        options.allowsNonLoopback = true
        options.silenceMax = .seconds(30)
        let security = credentials.map { TransportSecurity(credentials: $0) }
        self.security = security
        options.security = security
        change(&options)
        let system = ClusterActorSystem(
            identity: PeerIdentity(node: name, incarnation: Incarnation(.random(in: 1...UInt64.max)), role: .node),
            loop: loop, methods: try await MethodTable.discover(WireActor.methods), options: options, pool: pool,
            logger: Logger(label: name.name, factory: { _ in SwiftLogNoOpLogHandler() }), onPeerEvent: onEvent)
        self.system = system
        actor = system.withObject(WireActor.object) { WireActor(actorSystem: system, landing: landing, onHop: onHop) }
    }

    /// A peer is lost when two beats of a second are missed.
    static func makeHeartbeatStrict(_ options: inout TransportOptions) {
        options.pingInterval = .seconds(1)
        options.silenceMax = .seconds(2)
    }

    func end() async {
        await system.shutdown()
        loop.stop()
    }
}
