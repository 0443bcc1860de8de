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
        /// All that began and have not ended.
        package var begun: [SequenceID]
        package var requestCount: Int
        package var runningCount: Int
        package var waitingCount: Int
        /// Sequences that the stages still know and will be told to forget.
        package var endedToTellCount: Int
        /// Counters that must be zero when nothing is left to do.
        package var pendingRowCount: Int
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
                begun: pipeline.running + pipeline.preempted, requestCount: pipeline.sequences.count,
                runningCount: pipeline.running.count, waitingCount: pipeline.waitingCount,
                endedToTellCount: pipeline.endedToTell.count,
                pendingRowCount: pipeline.promptRowsPending + pipeline.promptRowsInFlight
                    + pipeline.promptSequenceCount + pipeline.decodeStepsInFlight)
        }
    }
}
