/// The job of one TCP connection of a pair of processes.
public enum Lane: UInt8, Sendable, CaseIterable, Hashable {
    /// Calls and their replies, membership, pings.
    case control = 0
    /// Hidden states from stage to stage, and results of steps.
    case activations = 1
    /// KV-cache rows and weights.
    case bulk = 2
}
