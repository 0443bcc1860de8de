public import Distributed
import Orchestration
public import Transport
public import Wire

/// A node as the coordinator sees it.
public distributed actor Node {
    public typealias ActorSystem = ClusterActorSystem

    private let shell: NodeShell
    private let security: NodeSecurity?

    public nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }

    init(shell: NodeShell, security: NodeSecurity?, actorSystem: ClusterActorSystem) {
        self.shell = shell
        self.security = security
        self.actorSystem = actorSystem
    }

    /// Begins to load a stage; `Coordinator.stagePrepared` or `stageFailed` tells how it ended.
    public distributed func prepare(_ message: PrepareStage) async throws -> Empty {
        try Caller.require(.coordinator)
        try await shell.prepare(message)
        return Empty()
    }

    public distributed func release(_ message: ReleaseStage) async throws {
        try Caller.require(.coordinator)
        await shell.handle(.releaseAsked(message.pipeline, message.stamp.epoch, message.stamp.term))
    }

    /// All certificates that are not to be trusted any more; peers that showed one of them are dropped.
    public distributed func certificatesRevoked(_ message: CertificatesRevoked) async throws {
        try Caller.require(.coordinator)
        security?.revoke(Set(message.serials))
    }
}
