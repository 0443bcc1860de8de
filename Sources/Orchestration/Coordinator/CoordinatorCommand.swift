public import Vocabulary

/// What the coordinator's core wants done, in this order.
public enum CoordinatorCommand: Sendable, Hashable {
    /// Load this stage; answered by `stagePrepared` or `stageFailed`.
    case prepare(NodeID, StageAssignment)
    /// The node has no stage of this pipeline any more: forget what it had up to this epoch, weights included.
    case release(NodeID, PipelineID, Epoch)
    /// Hand the step to the first stage; answered by the last stage's `stepFinished` or anybody's `stepFailed`.
    case run(NodeID, Step)
    /// Tell the request's client. The last one is `.finished` or `.failed`; a refused request gets only `.failed`.
    case emit(RequestID, GenerationEvent)
    /// For the log.
    case note(NoteLevel, String)
}
