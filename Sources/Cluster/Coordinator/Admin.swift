public import Distributed
public import Transport
public import Wire

/// What operators ask of the coordinator.
public distributed actor Admin {
    public typealias ActorSystem = ClusterActorSystem

    private let shell: CoordinatorShell

    public nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }

    init(shell: CoordinatorShell, actorSystem: ClusterActorSystem) {
        self.shell = shell
        self.actorSystem = actorSystem
    }

    /// For members too: it changes nothing.
    public distributed func topology(_ request: TopologyRequest) async throws -> TopologyReply {
        try Caller.require(.operator, .node)
        return TopologyReply(topology: await shell.topology())
    }
}
