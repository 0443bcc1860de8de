package import Vocabulary

/// What tests check after every event.
extension CoordinatorCore {
    package struct PipelineAudit: Sendable {
        package var pipeline: PipelineID
        package var epoch: Epoch
        package var isRunning: Bool
        package var blockCount: Int
        /// Free, or waiting for a step in flight.
        package var unheldBlocks: [BlockID]
        /// For each running sequence, in order of arrival.
        package var heldBlocks: [[BlockID]]
        package var stepsInFlight: Int
        package var stepsInFlightMax: Int
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
                unheldBlocks: pipeline.pool.unheldBlocks,
                heldBlocks: pipeline.running.map { pipeline.sequences[$0]?.blocks ?? [] },
                stepsInFlight: pipeline.inFlight.count, stepsInFlightMax: pipeline.stepsInFlightMax,
                requestCount: pipeline.sequences.count, runningCount: pipeline.running.count,
                waitingCount: pipeline.waiting.count, endedToTellCount: pipeline.endedToTell.count,
                pendingRowCount: pipeline.promptRowsPending + pipeline.promptRowsInFlight
                    + pipeline.promptSequenceCount + pipeline.decodeStepsInFlight)
        }
    }
}
