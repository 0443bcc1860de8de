import Transport
import Vocabulary
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

    private static let probe = ActorAddress(node: .coordinator, object: 0)

    private static let coordinator: [DistributedMethod] = [
        DistributedMethod(number: 1, name: "Coordinator.register", lane: .control, isOneWay: false) {
            _ = try await Coordinator.resolve(id: probe, using: $0).register(RegisterRequest())
        },
        DistributedMethod(number: 2, name: "Coordinator.stagePrepared", lane: .control, isOneWay: true) {
            try await Coordinator.resolve(id: probe, using: $0).stagePrepared(StagePrepared())
        },
        DistributedMethod(number: 3, name: "Coordinator.stageFailed", lane: .control, isOneWay: true) {
            try await Coordinator.resolve(id: probe, using: $0).stageFailed(StageFailed())
        },
        DistributedMethod(number: 4, name: "Coordinator.stepFinished", lane: .activations, isOneWay: true) {
            try await Coordinator.resolve(id: probe, using: $0).stepFinished(StepFinished())
        },
        DistributedMethod(number: 5, name: "Coordinator.stepFailed", lane: .activations, isOneWay: true) {
            try await Coordinator.resolve(id: probe, using: $0).stepFailed(StepFailed())
        },
        DistributedMethod(number: 6, name: "Coordinator.stageProgress", lane: .control, isOneWay: true) {
            try await Coordinator.resolve(id: probe, using: $0).stageProgress(StageProgress())
        },
        DistributedMethod(number: 7, name: "Coordinator.nodeLeaving", lane: .control, isOneWay: true) {
            try await Coordinator.resolve(id: probe, using: $0).nodeLeaving(NodeLeaving())
        },
    ]

    private static let node: [DistributedMethod] = [
        DistributedMethod(number: 16, name: "Node.prepare", lane: .control, isOneWay: false) {
            _ = try await Node.resolve(id: probe, using: $0).prepare(PrepareStage())
        },
        DistributedMethod(number: 17, name: "Node.release", lane: .control, isOneWay: true) {
            try await Node.resolve(id: probe, using: $0).release(ReleaseStage())
        },
    ]

    private static let stage: [DistributedMethod] = [
        DistributedMethod(number: 32, name: "Stage.forward", lane: .activations, isOneWay: true) {
            try await Stage.resolve(id: probe, using: $0).forward(ForwardStep())
        }
    ]

    private static let admin: [DistributedMethod] = [
        DistributedMethod(number: 48, name: "Admin.topology", lane: .control, isOneWay: false) {
            _ = try await Admin.resolve(id: probe, using: $0).topology(TopologyRequest())
        }
    ]
}

/// Object numbers that every process knows without asking (`Protocols/wire.md`).
enum WellKnownObject {
    static let coordinator: UInt64 = 1
    static let admin: UInt64 = 2
    static let node: UInt64 = 3
    static func stage(_ pipeline: PipelineID) -> UInt64 { 4096 + UInt64(pipeline.rawValue) }
}
