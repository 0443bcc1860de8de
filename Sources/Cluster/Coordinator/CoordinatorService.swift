import Foundation
public import Logging
import Memory
import Models
public import Orchestration
public import Telemetry
public import Transport
public import Vocabulary
import Wire

/// A coordinator in this process: listens for nodes and operators, plans, and serves generations.
public final class CoordinatorService: GenerationService {
    public let models: [ModelProfile]
    /// Where nodes and operators reach it.
    public let port: Int

    private let shell: CoordinatorShell
    package let coordinator: Coordinator
    package let admin: Admin
    private let system: ClusterActorSystem
    /// Watches what is revoked and renewed; nil in a cluster without certificates.
    private let watching: Task<Void, Never>?

    /// A model as it is served.
    public struct ServedModel: Sendable {
        public var profile: ModelProfile
        public var text: any TokenText
        public init(profile: ModelProfile, text: any TokenText) {
            self.profile = profile
            self.text = text
        }
    }

    /// Starts to listen; throws a `TransportError` that names host and port when it can't.
    ///
    /// - Parameter security: nil runs the cluster in plain text, with nobody authenticated.
    public init(
        host: String, port: Int, models: [ServedModel], settings: CoordinatorSettings,
        security: CoordinatorSecurity?, options: TransportOptions, logger: Logger
    ) async throws {
        var options = options
        options.security = security?.transport
        // Grows at each start as long as the clock does not run backwards between two of them.
        let term = Term(UInt64(Date().timeIntervalSince1970 * 1000))
        let hook = PeerEventHook()
        let identity = PeerIdentity(
            node: .coordinator, incarnation: Incarnation(.random(in: 1 ... .max)), role: .coordinator)
        system = ClusterActorSystem(
            identity: identity, loop: try EventLoop(), methods: try await ClusterMethods.discover(), options: options,
            pool: BufferPool(), logger: logger, onPeerEvent: { hook.call($0) })
        let texts = Dictionary(models.map { ($0.profile.name, $0.text) }, uniquingKeysWith: { first, _ in first })
        let core = CoordinatorCore(
            settings: settings, term: term, models: models.map(\.profile), texts: texts)
        let shell = CoordinatorShell(
            core: core, term: term, models: models.map(\.profile.name), revokedSerials: security?.revokedSerials,
            system: system, logger: logger)
        self.shell = shell
        self.models = models.map(\.profile)
        coordinator = system.withObject(WellKnownObject.coordinator) { [system] in
            Coordinator(shell: shell, security: security, actorSystem: system)
        }
        admin = system.withObject(WellKnownObject.admin) { [system] in Admin(shell: shell, actorSystem: system) }
        hook.set { event in
            if case .lost(let peer, let reason) = event {
                // At once and on the loop, where peers are lost: so it stays before what comes from them next.
                shell.assumeIsolated { $0.peerLost(peer, reason: reason) }
            }
        }
        self.port = try system.listen(host: host, port: port)
        security?.listens(at: "\(host):\(self.port)")
        watching = security.map { security in
            Task { await security.watch { await shell.setRevoked($0) } }
        }
    }

    public func unreadyReason() async -> String? { await shell.unreadyReason() }

    public func generate(_ request: GenerationRequest) async -> AsyncStream<GenerationEvent> {
        await shell.generate(request)
    }

    public func topology() async -> Topology { await shell.topology() }

    /// Totals since the start, and how busy all pipelines together are.
    public func throughputSample() async -> ThroughputLog.Sample { await shell.throughputSample() }

    public func shutdown() async {
        watching?.cancel()
        await system.shutdown()
    }
}
