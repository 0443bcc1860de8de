/// What a certificate's holder is to the cluster.
public enum CertifiedRole: String, Hashable, Sendable, CaseIterable {
    case coordinator
    case node
    case `operator`
}
