public import Distributed
import Orchestration
public import Transport
public import Wire

/// A node as the coordinator sees it.
public distributed actor Node {
    public typealias ActorSystem = ClusterActorSystem

    private let shell: NodeShell

    public nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }

    init(shell: NodeShell, actorSystem: ClusterActorSystem) {
        self.shell = shell
        self.actorSystem = actorSystem
    }

    /// Begins to load a stage; `Coordinator.stagePrepared` or `stageFailed` tells how it ended.
    public distributed func prepare(_ message: PrepareStage) async throws -> Empty {
        try Self.requireCoordinator()
        if let reason = await shell.handle(.prepareAsked(message.assignment, message.stamp.term)) {
            throw RemoteFailure(code: "refused", message: reason)
        }
        return Empty()
    }

    public distributed func release(_ message: ReleaseStage) async throws {
        try Self.requireCoordinator()
        await shell.handle(.releaseAsked(message.pipeline, message.stamp.epoch, message.stamp.term))
    }

    private static func requireCoordinator() throws {
        guard ClusterActorSystem.sender?.role == .coordinator else {
            throw RemoteFailure(code: "forbidden", message: "only the coordinator may call this")
        }
    }
}
