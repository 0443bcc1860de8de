/// What a process is to the cluster.
public enum PeerRole: String, Hashable, Sendable {
    case coordinator
    case node
    case `operator`
}
