public import Identity
public import Logging
import Memory
public import Transport
public import Vocabulary
import Wire

/// An operator's connection to a coordinator: what `shardline topology` speaks through.
public final class OperatorClient: Sendable {
    private let system: ClusterActorSystem

    /// - Parameter credentials: an operator's; nil speaks plain text.
    public init(
        host: String, port: Int, credentials: Credentials?, options: TransportOptions, logger: Logger
    ) async throws {
        var options = options
        options.security = credentials.map { TransportSecurity(credentials: $0) }
        let name = "operator-\(UInt32.random(in: 1 ... .max))"
        guard let node = credentials?.identity.name ?? NodeID(name) else {
            throw ClusterError("'\(name)' is no node name")
        }
        system = ClusterActorSystem(
            identity: PeerIdentity(node: node, incarnation: Incarnation(.random(in: 1 ... .max)), role: .operator),
            loop: try EventLoop(), methods: try await ClusterMethods.discover(), options: options, pool: BufferPool(),
            logger: logger, onPeerEvent: { _ in })
        _ = try await system.connect(host: host, port: port, expecting: .coordinator)
    }

    public func topology() async throws -> Topology {
        let address = ActorAddress(node: .coordinator, object: WellKnownObject.admin)
        return try await Admin.resolve(id: address, using: system).topology(TopologyRequest()).topology
    }

    public func close() async { await system.shutdown() }
}
