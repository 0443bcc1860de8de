public import Vocabulary

/// What a node's core is told.
public enum NodeEvent: Sendable, Hashable {
    /// A coordinator of this term took the node in.
    case registered(Term)
    case prepareAsked(StageAssignment, Term)
    case releaseAsked(PipelineID, Epoch, Term)
    /// Answers to `NodeCommand.load`.
    case loaded(PipelineID, Epoch)
    case loadFailed(PipelineID, Epoch, reason: String)
    /// A step came from a peer. The shell keeps its hidden states by (pipeline, epoch, number) unless the answer
    /// is `refuse`.
    case stepArrived(Step, Term, from: NodeID)
    /// Answers to `NodeCommand.compute`; `outputs` is empty for a stage without the head.
    case computed(PipelineID, Epoch, StepNumber, outputs: [SequenceOutput])
    case computeFailed(PipelineID, Epoch, StepNumber, reason: String)
    /// The connection to another node is gone, or a step could not be forwarded to it.
    case peerLost(NodeID, reason: String)
    case coordinatorLost
}
