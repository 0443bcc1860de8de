import Vocabulary

/// The nodes that ever registered, in order of their names.
struct Membership: Sendable {
    private(set) var nodes: [Topology.NodeStatus] = []

    /// Descriptions of those connected, in order of their names.
    var connected: [NodeDescription] { nodes.filter(\.isConnected).map(\.description) }

    func status(of node: NodeID) -> Topology.NodeStatus? {
        nodes.first { $0.description.node == node }
    }

    mutating func insert(_ description: NodeDescription) {
        let status = Topology.NodeStatus(description: description, isConnected: true)
        if let index = nodes.firstIndex(where: { $0.description.node == description.node }) {
            nodes[index] = status
        } else {
            let index = nodes.firstIndex { $0.description.node > description.node } ?? nodes.count
            nodes.insert(status, at: index)
        }
    }

    mutating func disconnect(_ node: NodeID) {
        guard let index = nodes.firstIndex(where: { $0.description.node == node }) else { return }
        nodes[index].isConnected = false
    }
}
