import Cluster
import Identity
import Logging
import Orchestration
import Testing
import Transport
import Vocabulary
import Wire

/// Every distributed method says who may call it, and says no to all others.
@Suite struct CallerTests {
    /// The roles that may call a method; whatever is not here may be called by nobody.
    private static let allowed: [String: Set<PeerRole>] = [
        "Coordinator.register": [.node], "Coordinator.stagePrepared": [.node], "Coordinator.stageFailed": [.node],
        "Coordinator.stepFinished": [.node], "Coordinator.stepFailed": [.node], "Coordinator.stageProgress": [.node],
        "Coordinator.nodeLeaving": [.node], "Coordinator.renewCertificate": [.node],
        "Node.prepare": [.coordinator], "Node.release": [.coordinator], "Node.certificatesRevoked": [.coordinator],
        "Stage.forward": [.coordinator, .node],
        // Members may read.
        "Admin.topology": [.operator, .node],
    ]

    private typealias Call = @Sendable () async throws -> Void

    private static func calls(
        _ coordinator: Coordinator, _ admin: Admin, _ node: Node, _ stage: Stage
    ) -> [String: Call] {
        [
            "Coordinator.register": { _ = try await coordinator.register(RegisterRequest()) },
            "Coordinator.stagePrepared": { try await coordinator.stagePrepared(StagePrepared()) },
            "Coordinator.stageFailed": { try await coordinator.stageFailed(StageFailed()) },
            "Coordinator.stepFinished": { try await coordinator.stepFinished(StepFinished()) },
            "Coordinator.stepFailed": { try await coordinator.stepFailed(StepFailed()) },
            "Coordinator.stageProgress": { try await coordinator.stageProgress(StageProgress()) },
            "Coordinator.nodeLeaving": { try await coordinator.nodeLeaving(NodeLeaving()) },
            "Coordinator.renewCertificate": { _ = try await coordinator.renewCertificate(RenewCertificate()) },
            "Node.prepare": { _ = try await node.prepare(PrepareStage()) },
            "Node.release": { try await node.release(ReleaseStage()) },
            "Node.certificatesRevoked": { try await node.certificatesRevoked(CertificatesRevoked()) },
            "Stage.forward": { try await stage.forward(ForwardStep()) },
            "Admin.topology": { _ = try await admin.topology(TopologyRequest()) },
        ]
    }

    /// In this process, as they would be called for a peer: what comes over a lane is handed on in the same way.
    @Test func eachMethodIsForItsRoles() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let service = try await CoordinatorService(
            host: "127.0.0.1", port: 0, models: [], settings: CoordinatorSettings(), security: nil,
            options: TransportOptions(), logger: logger)
        let name = try #require(NodeID("a"))
        let node = try await NodeService(
            settings: NodeSettings(
                node: name, coordinatorHost: "127.0.0.1", coordinatorPort: service.port, threadCount: 1,
                memoryLimitBytes: 1 << 20), security: nil, options: TransportOptions(), logger: logger)
        let calls = Self.calls(service.coordinator, service.admin, node.node, node.makeStage())
        #expect(Set(ClusterMethods.all.map(\.name)) == Set(calls.keys), "a method without a rule")
        for (method, call) in calls.sorted(by: { $0.key < $1.key }) {
            let allowed = try #require(Self.allowed[method])
            for role in [PeerRole.coordinator, .node, .operator] {
                let sender = PeerIdentity(node: name, incarnation: Incarnation(7), role: role)
                let isForbidden = await Self.isForbidden(by: sender, call)
                // What is allowed may still fail: the messages are empty.
                #expect(isForbidden == !allowed.contains(role), "\(method) by a \(role)")
            }
            #expect(await Self.isForbidden(by: nil, call), "\(method) by nobody")
        }
        let stopping = Task { await node.run() }
        stopping.cancel()
        await stopping.value
        await service.shutdown()
    }

    private static func isForbidden(by sender: PeerIdentity?, _ call: Call) async -> Bool {
        do {
            try await ClusterActorSystem.$sender.withValue(sender) { try await call() }
            return false
        } catch let failure as RemoteFailure {
            return failure.code == RemoteFailure.Code.forbidden && failure.message.contains("only a")
        } catch {
            return false
        }
    }

    /// A node speaks for itself alone.
    @Test func noNodeRegistersAsAnother() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let service = try await CoordinatorService(
            host: "127.0.0.1", port: 0, models: [], settings: CoordinatorSettings(), security: nil,
            options: TransportOptions(), logger: logger)
        let (a, b) = (try #require(NodeID("a")), try #require(NodeID("b")))
        let sender = PeerIdentity(node: a, incarnation: Incarnation(7), role: .node)
        func register(_ node: NodeID, _ incarnation: Incarnation) async -> String? {
            var request = RegisterRequest()
            request.description.node = node
            request.description.incarnation = incarnation
            do {
                _ = try await ClusterActorSystem.$sender.withValue(sender) { [request] in
                    try await service.coordinator.register(request)
                }
                return nil
            } catch {
                return (error as? RemoteFailure)?.code
            }
        }
        #expect(await register(b, Incarnation(7)) == RemoteFailure.Code.forbidden)
        #expect(await register(a, Incarnation(8)) == RemoteFailure.Code.forbidden)
        // Itself, but there is no connection whose loss would end this.
        #expect(await register(a, Incarnation(7)) == RemoteFailure.Code.stale)
        #expect(await service.topology().nodes.isEmpty)
        await service.shutdown()
    }
}
