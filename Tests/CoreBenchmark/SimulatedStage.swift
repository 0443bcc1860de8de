import Cluster
import Distributed
import Transport
import Vocabulary
import Wire

/// A stage without layers: hands a step on at once, or makes up its tokens when it is the last.
distributed actor SimulatedStage {
    typealias ActorSystem = ClusterActorSystem

    /// Nil at the last stage.
    private let next: PeerAddress?

    nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }

    init(next: PeerAddress?, actorSystem: ClusterActorSystem) {
        self.next = next
        self.actorSystem = actorSystem
    }

    distributed func forward(_ message: ForwardStep) async throws {
        let start = EventLoop.now
        var step = message.step
        guard let next else {
            var result = BenchmarkModel.result(of: step)
            result.stageNanoseconds = step.stageNanoseconds + [(EventLoop.now - start).nanoseconds]
            let address = ActorAddress(node: .coordinator, object: WellKnownObject.coordinator)
            return try await Coordinator.resolve(id: address, using: actorSystem)
                .stepFinished(StepFinished(result: result, term: message.term))
        }
        step.stageNanoseconds.append((EventLoop.now - start).nanoseconds)
        let address = ActorAddress(node: next.node, object: WellKnownObject.stage(step.pipeline))
        try await SimulatedStage.resolve(id: address, using: actorSystem)
            .forward(ForwardStep(step: step, term: message.term))
    }
}
