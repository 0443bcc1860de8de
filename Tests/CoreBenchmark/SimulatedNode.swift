import Cluster
import Distributed
import Transport
import Vocabulary
import Wire

/// A node that holds no weights: told to prepare a stage, it makes one that computes nothing.
distributed actor SimulatedNode {
    typealias ActorSystem = ClusterActorSystem

    static let names = ["node-0", "node-1"].compactMap { NodeID($0) }

    private var stages: [PipelineID: SimulatedStage] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }

    init(actorSystem: ClusterActorSystem) { self.actorSystem = actorSystem }

    distributed func prepare(_ message: PrepareStage) async throws -> Empty {
        let assignment = message.assignment
        if let next = assignment.next {
            _ = try await actorSystem.connect(host: next.host, port: next.port, expecting: next.node)
        }
        stages[assignment.pipeline] = actorSystem.withObject(WellKnownObject.stage(assignment.pipeline)) {
            SimulatedStage(next: assignment.next, actorSystem: actorSystem)
        }
        let address = ActorAddress(node: .coordinator, object: WellKnownObject.coordinator)
        try await Coordinator.resolve(id: address, using: actorSystem).stagePrepared(
            StagePrepared(pipeline: assignment.pipeline, stamp: message.stamp))
        return Empty()
    }

    distributed func release(_ message: ReleaseStage) async throws { stages[message.pipeline] = nil }

    distributed func certificatesRevoked(_ message: CertificatesRevoked) async throws {}

    /// The coordinator's methods as they are, and those of a node and a stage under the numbers that they have.
    static func methods() async throws -> MethodTable {
        let coordinator = ClusterMethods.all.filter { $0.name.hasPrefix("Coordinator.") }
        return try await MethodTable.discover(
            coordinator + [
                DistributedMethod(number: 16, name: "Node.prepare", lane: .control, isOneWay: false) {
                    _ = try await $0.stub(of: SimulatedNode.self).prepare(PrepareStage())
                },
                DistributedMethod(number: 17, name: "Node.release", lane: .control, isOneWay: true) {
                    try await $0.stub(of: SimulatedNode.self).release(ReleaseStage())
                },
                DistributedMethod(number: 18, name: "Node.certificatesRevoked", lane: .control, isOneWay: true) {
                    try await $0.stub(of: SimulatedNode.self).certificatesRevoked(CertificatesRevoked())
                },
                DistributedMethod(number: 32, name: "Stage.forward", lane: .activations, isOneWay: true) {
                    (stage: SimulatedStage, message: ForwardStep) in try await stage.forward(message)
                },
            ])
    }
}
