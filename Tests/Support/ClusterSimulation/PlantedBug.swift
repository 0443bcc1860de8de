import Orchestration
import Vocabulary

/// A fault put into the coordinator from outside, to show that the simulation would find it: the product has no code
/// for it.
package enum PlantedBug: String, CaseIterable, Sendable {
    case blockFreedTwice = "block-freed-twice"
    case tokenEmittedTwice = "token-emitted-twice"
    case sequenceForgottenAtPreemption = "sequence-forgotten-at-preemption"
}

extension ClusterSimulation {
    /// Alters what the coordinator's core has just decided.
    mutating func plant(_ bug: PlantedBug, into commands: inout [CoordinatorCommand]) {
        switch bug {
        case .blockFreedTwice:
            guard commands.contains(where: { Self.isEnd($0) }), random.chance(0.1) else { return }
            for model in coordinator.models.indices {
                for index in coordinator.models[model].pipelines.indices {
                    guard let block = coordinator.models[model].pipelines[index].pool.audit.free.last else { continue }
                    coordinator.models[model].pipelines[index].pool.give([block], after: nil)
                }
            }
        case .tokenEmittedTwice:
            for (index, command) in commands.enumerated().reversed() {
                guard case .emit(_, .output) = command, random.chance(0.01) else { continue }
                commands.insert(command, at: index)
            }
        case .sequenceForgottenAtPreemption:
            let isPreempted = commands.contains { command in
                if case .note(_, let text) = command { text.contains("preempted") } else { false }
            }
            guard isPreempted else { return }
            for index in coordinator.models.indices { coordinator.models[index].preempted = [] }
        }
    }

    private static func isEnd(_ command: CoordinatorCommand) -> Bool {
        if case .emit(_, .finished) = command { true } else { false }
    }
}
