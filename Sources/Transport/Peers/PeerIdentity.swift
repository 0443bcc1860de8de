public import Vocabulary

/// Who a process is, for one of its lives.
public struct PeerIdentity: Hashable, Sendable, CustomStringConvertible {
    public var node: NodeID
    public var incarnation: Incarnation
    public var role: PeerRole

    public init(node: NodeID, incarnation: Incarnation, role: PeerRole) {
        self.node = node
        self.incarnation = incarnation
        self.role = role
    }

    public var description: String { "\(role.rawValue) \(node), incarnation \(incarnation)" }
}
