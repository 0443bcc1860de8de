public import Vocabulary

/// The state, for people.
extension CoordinatorCore {
    public func topology() -> Topology {
        Topology(term: term, nodes: membership.nodes, pipelines: pipelines.map(\.status))
    }

    /// Nil when every model is served; else why not yet.
    public func unreadyReason() -> String? {
        if pipelines.isEmpty { return "no model is configured" }
        return pipelines.lazy.compactMap { pipeline in
            pipeline.downReason.map { "model \(pipeline.model.name): \($0)" }
        }.first
    }
}

extension Pipeline {
    var status: Topology.PipelineStatus {
        let stages = (plan?.stages ?? []).enumerated().map { index, stage in
            Topology.StageStatus(
                node: stage.node, units: stage.units, weightBytes: stage.weightBytes,
                kvBytes: plan?.kvBytes(of: stage) ?? 0,
                isReady: isPrepared.indices.contains(index) && isPrepared[index])
        }
        return Topology.PipelineStatus(
            pipeline: id, model: model.name, epoch: epoch, state: stateText, stages: stages,
            runningCount: running.count, waitingCount: waitingCount, blockCount: plan?.blockCount ?? 0,
            freeBlockCount: isRunning ? pool.freeCount : plan?.blockCount ?? 0)
    }

    private var stateText: String {
        switch phase {
        case .waiting: "waiting for nodes"
        case .loading, .failed: "loading"
        case .running: "running"
        }
    }
}
