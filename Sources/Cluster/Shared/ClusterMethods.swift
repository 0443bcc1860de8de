public import Transport
package import Vocabulary
import Wire

/// The stable numbers of all distributed methods, as `Protocols/methods.txt` lists them.
///
/// Swift names a distributed method by a mangled string that changes with module, type and labels; a number on
/// the wire stands for the method whatever it is called in the code. The strings are found at start, by calling
/// each method once on a stub whose system records the target and sends nothing.
public enum ClusterMethods {
    package static let all: [DistributedMethod] = coordinator + node + stage + admin

    /// Numbers and mangled names of this build. Done once at the start of a program.
    public static func discover() async throws -> MethodTable { try await MethodTable.discover(all) }

    private static let coordinator: [DistributedMethod] = [
        DistributedMethod(number: 1, name: "Coordinator.register", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Coordinator.self).register(RegisterRequest())
        },
        DistributedMethod(number: 2, name: "Coordinator.stagePrepared", lane: .control, isOneWay: true) {
            try await $0.stub(of: Coordinator.self).stagePrepared(StagePrepared())
        },
        DistributedMethod(number: 3, name: "Coordinator.stageFailed", lane: .control, isOneWay: true) {
            try await $0.stub(of: Coordinator.self).stageFailed(StageFailed())
        },
        // Those of every step give the call itself, which spares a look at mangled names each time.
        DistributedMethod(number: 4, name: "Coordinator.stepFinished", lane: .activations, isOneWay: true) {
            (coordinator: Coordinator, message: StepFinished) in try await coordinator.stepFinished(message)
        },
        DistributedMethod(number: 5, name: "Coordinator.stepFailed", lane: .activations, isOneWay: true) {
            try await $0.stub(of: Coordinator.self).stepFailed(StepFailed())
        },
        DistributedMethod(number: 6, name: "Coordinator.stageProgress", lane: .control, isOneWay: true) {
            try await $0.stub(of: Coordinator.self).stageProgress(StageProgress())
        },
        DistributedMethod(number: 7, name: "Coordinator.nodeLeaving", lane: .control, isOneWay: true) {
            try await $0.stub(of: Coordinator.self).nodeLeaving(NodeLeaving())
        },
        DistributedMethod(number: 8, name: "Coordinator.renewCertificate", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Coordinator.self).renewCertificate(RenewCertificate())
        },
    ]

    private static let node: [DistributedMethod] = [
        DistributedMethod(number: 16, name: "Node.prepare", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Node.self).prepare(PrepareStage())
        },
        DistributedMethod(number: 17, name: "Node.release", lane: .control, isOneWay: true) {
            try await $0.stub(of: Node.self).release(ReleaseStage())
        },
        DistributedMethod(number: 18, name: "Node.certificatesRevoked", lane: .control, isOneWay: true) {
            try await $0.stub(of: Node.self).certificatesRevoked(CertificatesRevoked())
        },
    ]

    private static let stage: [DistributedMethod] = [
        DistributedMethod(number: 32, name: "Stage.forward", lane: .activations, isOneWay: true) {
            (stage: Stage, message: ForwardStep) in try await stage.forward(message)
        }
    ]

    private static let admin: [DistributedMethod] = [
        DistributedMethod(number: 48, name: "Admin.topology", lane: .control, isOneWay: false) {
            _ = try await $0.stub(of: Admin.self).topology(TopologyRequest())
        }
    ]
}

/// Object numbers that every process knows without asking (`Protocols/wire.md`).
package enum WellKnownObject {
    package static let coordinator: UInt64 = 1
    static let admin: UInt64 = 2
    package static let node: UInt64 = 3
    package static func stage(_ pipeline: PipelineID) -> UInt64 { 4096 + UInt64(pipeline.rawValue) }
}
