package import Vocabulary

/// Plans for replicas of one model, over nodes of their own.
package enum ReplicaPlanner {
    /// As many plans as the nodes suffice for, up to `count`: fewer replicas that serve are better than none.
    ///
    /// - Parameter nodes: in the order in which stages may lie on them.
    /// - Throws: why not even one replica can be placed.
    package static func plans(
        of model: ModelProfile, count: Int, on nodes: [PipelinePlanner.Node], blocks: PipelinePlanner.BlockDemand
    ) throws(PlanningFailure) -> [PipelinePlan] {
        for groupCount in stride(from: min(count, nodes.count), to: 1, by: -1) {
            if let plans = plans(of: model, groupCount: groupCount, on: nodes, blocks: blocks) { return plans }
        }
        return [try PipelinePlanner.plan(model, on: nodes, blocks: blocks)]
    }

    private static func plans(
        of model: ModelProfile, groupCount: Int, on nodes: [PipelinePlanner.Node], blocks: PipelinePlanner.BlockDemand
    ) -> [PipelinePlan]? {
        // The planner says what fits. The division estimates it: at first as if layers could be cut, which finds
        // what is tight, and then in whole layers, which finds what the first overlooks.
        for (blockCount, isWhole) in [
            (blocks.wanted, false), (blocks.wanted, true), (blocks.minimum, false), (blocks.minimum, true),
        ] {
            guard let groups = division(of: model, groupCount, on: nodes, blockCount: blockCount, isWhole: isWhole)
            else { continue }
            let plans = groups.compactMap { group in
                try? PipelinePlanner.plan(model, on: group.map { nodes[$0] }, blocks: blocks)
            }
            if plans.count == groupCount { return plans }
        }
        return nil
    }

    private static func division(
        of model: ModelProfile, _ groupCount: Int, on nodes: [PipelinePlanner.Node], blockCount: Int, isWhole: Bool
    ) -> [[Int]]? {
        let kvBytes = Double(max(0, model.kvBytesPerPositionPerLayer)) * Double(blockCount * BlockID.positionCount)
        let weights = model.layerBytes.map { Double($0) }
        guard let largest = weights.max() else { return nil }
        let layerBytes = max(1, largest + kvBytes)
        let riders = [Double(model.embeddingBytes) / layerBytes, Double(model.headBytes) / layerBytes]
        let layerCount =
            isWhole
            ? riders.reduce(Double(weights.count)) { $0 + $1.rounded(.up) }
            : riders.reduce(weights.reduce(0) { $0 + ($1 + kvBytes) / layerBytes }, +)
        let divided = nodes.map { node in
            let capacity = Double(node.memoryBytes) / layerBytes
            let seconds = node.seconds(
                bytes: max(1, largest), rowMultiplyAdds: Double(model.layerMultiplyAdds.max() ?? 0))
            return NodeDivision.Node(
                layerCapacity: isWhole ? capacity.rounded(.down) : capacity, layersPerSecond: 1 / seconds)
        }
        return NodeDivision.groups(of: divided, count: groupCount, layerCount: layerCount)
    }
}
