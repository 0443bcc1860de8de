public import Vocabulary

/// The state, for people.
extension CoordinatorCore {
    public func topology() -> Topology {
        Topology(term: term, nodes: membership.nodes, pipelines: models.flatMap(\.statuses))
    }

    /// Nil when every model is served, by one of its pipelines at least; else why not yet.
    public func unreadyReason() -> String? {
        if models.isEmpty { return "no model is configured" }
        return models.lazy.compactMap { replicas in
            replicas.downReason.map { "model \(replicas.model.name): \($0)" }
        }.first
    }
}

extension ModelReplicas {
    fileprivate var statuses: [Topology.PipelineStatus] { pipelines.map { $0.status(waitingCount: waitingCount) } }
}

extension Pipeline {
    fileprivate func status(waitingCount: Int) -> Topology.PipelineStatus {
        let stages = (plan?.stages ?? []).enumerated().map { index, stage in
            Topology.StageStatus(
                node: stage.node, units: stage.units, weightBytes: stage.weightBytes,
                kvBytes: plan?.kvBytes(of: stage) ?? 0,
                isReady: isPrepared.indices.contains(index) && isPrepared[index])
        }
        return Topology.PipelineStatus(
            pipeline: id, model: model.name, replica: replica, replicaCount: replicaCount, epoch: epoch,
            state: stateText, stages: stages,
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
