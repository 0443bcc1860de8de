/// How much a note of a core matters.
public enum NoteLevel: Sendable, Hashable {
    /// Expected in normal work: a result that came too late.
    case debug
    case info
    /// Something is lost or refused, and the cluster goes on.
    case warning
    /// Requests failed.
    case error
}
