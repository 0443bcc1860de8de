public import Vocabulary

/// Where a distributed actor lives: the process and its object number there.
///
/// Well-known objects: 1 the coordinator, 2 its face for operators, 3 the node, 4096 + p the stage of pipeline p.
public struct ActorAddress: Hashable, Sendable, CustomStringConvertible {
    public var node: NodeID
    public var object: UInt64

    public init(node: NodeID, object: UInt64) {
        self.node = node
        self.object = object
    }

    public var description: String { "\(node)/\(object)" }
}
