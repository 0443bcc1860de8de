public import Vocabulary

/// What the coordinator's core is told. Reports of nodes carry the term they were made under: those of another
/// term are ignored.
public enum CoordinatorEvent: Sendable, Hashable {
    /// A node is connected and told what it is. A new incarnation, or another address, replaces the old one, whose
    /// pipelines end; the same one again only renews the description.
    case nodeRegistered(NodeDescription)
    /// The node's connection is gone. Ignored unless this incarnation is the one registered.
    case nodeLost(NodeID, Incarnation, reason: String)
    case stagePrepared(NodeID, PipelineID, Epoch, Term)
    /// A stage is still loading: puts the preparation's deadline off.
    case stageProgressed(NodeID, PipelineID, Epoch, Term, doneBytes: UInt64, totalBytes: UInt64)
    case stageFailed(NodeID, PipelineID, Epoch, Term, reason: String)
    /// `RequestID` must be new and greater than all before it.
    case requestArrived(RequestID, GenerationRequest)
    /// The client is gone. The request's last event is then `.failed` with `.cancelled`; nothing if it had ended.
    case requestCancelled(RequestID)
    case stepFinished(NodeID, StepResult, Term)
    case stepFailed(NodeID, PipelineID, Epoch, StepNumber, Term, reason: String)
    /// `nextDeadline` has passed (and everything that had arrived before it was handed in).
    case deadlinePassed
}
