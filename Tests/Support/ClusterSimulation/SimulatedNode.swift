import Orchestration
import Vocabulary

/// One start of a node: its core and what its shell keeps.
struct SimulatedNode {
    struct StepKey: Hashable {
        var pipeline: PipelineID
        var epoch: Epoch
        var number: StepNumber
    }

    var description: NodeDescription
    var core: NodeCore
    var stages: [PipelineID: SimulatedStage] = [:]
    var inputs: [StepKey: [UInt64]] = [:]
    var outputs: [StepKey: [UInt64]] = [:]
    /// Stages that were loaded without their weights being there already.
    var weightLoadCount = 0
    var isAlive = true
    var isRegistered = false
    /// A stopped process does nothing until then.
    var hungUntil = Instant(nanoseconds: 0)

    init(_ description: NodeDescription) {
        self.description = description
        core = NodeCore(node: description.node)
    }

    var id: NodeID { description.node }
    var incarnation: Incarnation { description.incarnation }
}
