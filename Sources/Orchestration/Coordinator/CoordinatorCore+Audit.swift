package import Vocabulary

/// What tests check after every event.
extension CoordinatorCore {
    package struct PipelineAudit: Sendable {
        package var pipeline: PipelineID
        package var epoch: Epoch
        package var isRunning: Bool
        package var blockCount: Int
        package var pool: BlockPool.Audit
        /// For each running sequence, in order of arrival.
        package var heldBlocks: [[BlockID]]
        /// For each running sequence: how many of its blocks others may share.
        package var sealedBlockCounts: [Int]
        package var oldestStepInFlight: StepNumber?
        package var stepsInFlight: Int
        package var stepsInFlightMax: Int
        package var requestCount: Int
        /// In order of arrival.
        package var running: [SequenceID]
        /// Sequences that the stages still know and will be told to forget.
        package var endedToTellCount: Int
        /// Counters that must be zero when nothing is left to do.
        package var pendingRowCount: Int
        /// Of the plan, in the order of the stages.
        package var stageNodes: [NodeID]
        /// For nodes, with no stage loaded or being loaded.
        package var isWaiting: Bool
    }

    package var audits: [PipelineAudit] {
        pipelines.map { pipeline in
            PipelineAudit(
                pipeline: pipeline.id, epoch: pipeline.epoch, isRunning: pipeline.isRunning,
                blockCount: pipeline.pool.blockCount,
                pool: pipeline.pool.audit,
                heldBlocks: pipeline.running.map { pipeline.sequences[$0]?.blocks ?? [] },
                sealedBlockCounts: pipeline.running.map { pipeline.sequences[$0]?.sealedBlockCount ?? 0 },
                oldestStepInFlight: pipeline.inFlight.first?.number,
                stepsInFlight: pipeline.inFlight.count, stepsInFlightMax: pipeline.stepsInFlightMax,
                requestCount: pipeline.sequences.count, running: pipeline.running,
                endedToTellCount: pipeline.endedToTell.count,
                pendingRowCount: pipeline.promptRowsPending + pipeline.promptRowsInFlight
                    + pipeline.promptSequenceCount + pipeline.decodeStepsInFlight,
                stageNodes: (pipeline.plan?.stages ?? []).map(\.node), isWaiting: pipeline.isWaiting)
        }
    }

    package struct ModelAudit: Sendable {
        package var model: String
        package var pipelines: [PipelineID]
        package var limits: ModelLimits
        /// All that began and have not ended.
        package var begun: [SequenceID]
        /// Of requests that wait.
        package var waitingCount: Int
        /// Of those of them that can be found again.
        package var keptCount: Int
        package var runningCount: Int
    }

    package var modelAudits: [ModelAudit] {
        models.map { replicas in
            ModelAudit(
                model: replicas.model.name, pipelines: replicas.pipelines.map(\.id), limits: replicas.limits,
                begun: replicas.pipelines.flatMap(\.running) + replicas.preempted,
                waitingCount: replicas.waitingCount, keptCount: replicas.sequences.count,
                runningCount: replicas.runningCount)
        }
    }

    package var pipelines: [Pipeline] { models.flatMap(\.pipelines) }
}
