/// Deals nodes out to replicas of one model, so that the slowest replica is as fast as can be.
///
/// A group of nodes is judged by an estimate that needs no plan: node i can hold c_i layers (its memory divided by the
/// weights and KV of the largest layer) and computes s_i of them a second. The group's time T for a decode row is the
/// least for which the nodes' shares, min(c_i, s_i · T) each, make up the model's layers. Nodes are dealt out by their
/// speed, the fastest first, each to the group that has least; then nodes move or change places as long as that makes
/// the division better. What comes out is the same for the same nodes in the same order.
package struct NodeDivision {
    package struct Node: Hashable, Sendable {
        /// Layers that fit into its memory.
        package var layerCapacity: Double
        package var layersPerSecond: Double

        package init(layerCapacity: Double, layersPerSecond: Double) {
            self.layerCapacity = layerCapacity
            self.layersPerSecond = layersPerSecond
        }
    }

    /// Less is better, in this order.
    private struct Score {
        /// Layers that find no room, in all groups together.
        var missingLayers: Double
        var slowestSeconds: Double
        var secondsSum: Double

        func isClearlyBetter(than other: Score) -> Bool {
            // Rounding must not let two divisions take turns for ever.
            if missingLayers < other.missingLayers - 1e-9 { return true }
            guard missingLayers <= other.missingLayers + 1e-9 else { return false }
            if slowestSeconds < other.slowestSeconds * (1 - 1e-9) { return true }
            guard slowestSeconds <= other.slowestSeconds * (1 + 1e-9) else { return false }
            return secondsSum < other.secondsSum * (1 - 1e-9)
        }
    }

    private let nodes: [Node]
    /// What one replica needs, embedding and head counted as layers.
    private let layerCount: Double
    private let groupCount: Int
    /// Of each node.
    private var groups: [Int]
    /// Of each group.
    private var missing: [Double]
    private var seconds: [Double]

    /// So many times at most the division is gone through: each pass but the last makes it better.
    private static let passCountMax = 32

    /// - Returns: for each group the indices of its nodes, in ascending order; nil when there are fewer nodes than
    ///   groups, or memory does not suffice for all groups.
    package static func groups(of nodes: [Node], count: Int, layerCount: Double) -> [[Int]]? {
        guard count > 0, nodes.count >= count else { return nil }
        var division = NodeDivision(nodes: nodes, layerCount: layerCount, groupCount: count)
        division.improve()
        guard division.missing.allSatisfy({ $0 <= 0 }) else { return nil }
        return (0..<count).map { group in nodes.indices.filter { division.groups[$0] == group } }
    }

    private init(nodes: [Node], layerCount: Double, groupCount: Int) {
        self.nodes = nodes
        self.layerCount = layerCount
        self.groupCount = groupCount
        groups = Array(repeating: 0, count: nodes.count)
        missing = Array(repeating: 0, count: groupCount)
        seconds = missing
        var sums = missing
        var counts = Array(repeating: 0, count: groupCount)
        let order = nodes.indices.sorted { (nodes[$1].layersPerSecond, $0) < (nodes[$0].layersPerSecond, $1) }
        for index in order {
            // An empty group comes before all others, however slow the first nodes were.
            let keys = (0..<groupCount).map { (min(counts[$0], 1), sums[$0], $0) }
            groups[index] = keys.min { $0 < $1 }?.2 ?? 0
            sums[groups[index]] += nodes[index].layersPerSecond
            counts[groups[index]] += 1
        }
        for group in 0..<groupCount { judge(group) }
    }

    private mutating func improve() {
        for _ in 0..<Self.passCountMax {
            var hasImproved = false
            for index in nodes.indices {
                for group in 0..<groupCount where group != groups[index] {
                    if attempt({ $0.groups[index] = group }, touching: groups[index], group) { hasImproved = true }
                }
                for other in nodes.indices where other > index && groups[other] != groups[index] {
                    if attempt({ $0.groups.swapAt(index, other) }, touching: groups[index], groups[other]) {
                        hasImproved = true
                    }
                }
            }
            if !hasImproved { return }
        }
    }

    /// Changes two groups, and takes that back unless it is better.
    private mutating func attempt(
        _ change: (inout NodeDivision) -> Void, touching first: Int, _ second: Int
    ) -> Bool {
        let before = (groups, missing, seconds)
        let score = self.score
        change(&self)
        judge(first)
        judge(second)
        if self.score.isClearlyBetter(than: score) { return true }
        (groups, missing, seconds) = before
        return false
    }

    private var score: Score {
        Score(
            missingLayers: missing.reduce(0, +), slowestSeconds: seconds.max() ?? 0,
            secondsSum: seconds.reduce(0, +))
    }

    private mutating func judge(_ group: Int) {
        let members = nodes.indices.filter { groups[$0] == group }.map { nodes[$0] }
        missing[group] = max(0, layerCount - members.reduce(0) { $0 + $1.layerCapacity })
        seconds[group] = Self.seconds(of: members, layerCount: layerCount) ?? 0
    }

    /// The least T for which the nodes' shares make up the layers: those that are full by then are passed one by one.
    /// Nil when the layers find no room.
    package static func seconds(of members: [Node], layerCount: Double) -> Double? {
        guard members.reduce(0, { $0 + $1.layerCapacity }) >= layerCount else { return nil }
        let order = members.sorted { $0.layerCapacity * $1.layersPerSecond < $1.layerCapacity * $0.layersPerSecond }
        var left = layerCount
        var speed = order.reduce(0) { $0 + $1.layersPerSecond }
        for node in order {
            let time = left / speed
            if node.layersPerSecond * time <= node.layerCapacity { return time }
            left -= node.layerCapacity
            speed -= node.layersPerSecond
            // All are full but for rounding.
            guard left > 0, speed > 0 else { return node.layerCapacity / node.layersPerSecond }
        }
        return order.last.map { $0.layerCapacity / $0.layersPerSecond } ?? .infinity
    }
}
