import Orchestration
import Telemetry
import Transport
import Vocabulary

/// What of a token's time is whose: counters of the stages' and of the coordinator's own.
struct StepMeters {
    private struct Stages {
        var epoch: Epoch
        /// By the stage's place in its pipeline.
        var busy: [Int: MetricCounter] = [:]
    }

    private var stages: [PipelineID: Stages] = [:]
    private let coordinator = Telemetry.metrics.counter(
        "coordinator_busy_seconds_total", help: "Time in which the coordinator decided and handed on.")

    /// A stage is about to be held by `node`.
    mutating func willPrepare(_ assignment: StageAssignment, on node: NodeID) {
        let pipeline = assignment.pipeline
        if stages[pipeline]?.epoch != assignment.epoch { stages[pipeline] = Stages(epoch: assignment.epoch) }
        stages[pipeline]?.busy[assignment.stageIndex] = Telemetry.metrics.counter(
            "stage_busy_seconds_total",
            help: "Time in which a node computed steps; waiting for one is not in it.",
            labels: [("node", node.name), ("pipeline", "\(pipeline)"), ("stage", "\(assignment.stageIndex)")])
    }

    /// - Parameter start: when the event was begun with.
    func handled(_ event: CoordinatorEvent, since start: Instant) {
        if case .stepFinished(_, let result, _) = event, let stages = stages[result.pipeline],
            stages.epoch == result.epoch
        {
            for (index, nanoseconds) in result.stageNanoseconds.enumerated() {
                stages.busy[index]?.increment(by: Double(nanoseconds) / 1e9)
            }
        }
        coordinator.increment(by: Double((EventLoop.now - start).nanoseconds) / 1e9)
    }
}
