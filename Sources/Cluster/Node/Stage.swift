public import Distributed
public import Transport
public import Wire

/// One stage of a pipeline, as the stage before it and the coordinator see it.
public distributed actor Stage {
    public typealias ActorSystem = ClusterActorSystem

    private let shell: NodeShell

    public nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }

    init(shell: NodeShell, actorSystem: ClusterActorSystem) {
        self.shell = shell
        self.actorSystem = actorSystem
    }

    /// Queues a step. The hidden states of the stage before, if there is one, are the message's bulk part:
    /// f32 [rows][hidden size], received where they are then read.
    public distributed func forward(_ message: ForwardStep) async throws {
        // Which of them it must be, the core knows: the one before in the pipeline.
        let sender = try Caller.require(.coordinator, .node)
        await shell.stepArrived(message.step, term: message.stamp.term, from: sender, input: message.bulk)
    }
}
