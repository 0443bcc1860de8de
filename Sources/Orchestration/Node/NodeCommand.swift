public import Vocabulary

/// What a node's core wants done, in this order.
public enum NodeCommand: Sendable, Hashable {
    /// Make the stage ready with an empty KV pool, keeping weights of the pipeline that are there already.
    /// One at a time for a pipeline, and never while one of its steps computes.
    case load(StageAssignment)
    /// Free the stage: weights and KV. Never while it loads or computes.
    case unload(PipelineID, Epoch)
    /// Run the stage's layers over the step's rows. One at a time for the whole node.
    case compute(StageBatch)
    /// Send the computed step on with its hidden states; a send that fails is told as `peerLost`.
    case forward(Step, Term, to: PeerAddress)
    /// To the coordinator.
    case reportPrepared(PipelineID, Epoch, Term)
    case reportFailed(PipelineID, Epoch, Term, reason: String)
    case reportStep(StepResult, Term)
    case reportStepFailed(PipelineID, Epoch, StepNumber, Term, reason: String)
    /// A step that was taken earlier will not be computed, or its output not be sent: let its hidden states go.
    case dropStep(PipelineID, Epoch, StepNumber, reason: String)
    /// The event just handled is refused: a call is answered with the reason; a step that came is let go.
    case refuse(String)
}
