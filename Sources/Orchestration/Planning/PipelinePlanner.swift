public import Vocabulary

/// Splits a model's layers into contiguous stages over nodes.
///
/// The embedding rides on the first stage and costs memory only (a row of it is read for a token); the head rides
/// on the last one and costs memory and time. A stage's time for a step is taken as the longer of two: reading its
/// weights, and multiplying a busy pipeline's rows. A step of a single row is read only; but then one stage works at a
/// time, and any split is as good as another.
///
/// The plan is exact: of all contiguous splits that keep the order of `nodes`, leave any of them out, and fit into
/// memory, it has the least time of the slowest stage, and among those the least sum of squared stage times, so
/// that the rest is spread evenly too.
public struct PipelinePlanner: Sendable {
    public struct Node: Hashable, Sendable {
        public var id: NodeID
        /// What this pipeline may use of the node's memory.
        public var memoryBytes: UInt64
        public var readBytesPerSecond: Double
        public var multiplyAddsPerSecond: Double

        public init(
            id: NodeID, memoryBytes: UInt64, readBytesPerSecond: Double, multiplyAddsPerSecond: Double = .infinity
        ) {
            self.id = id
            self.memoryBytes = memoryBytes
            self.readBytesPerSecond = readBytesPerSecond
            self.multiplyAddsPerSecond = multiplyAddsPerSecond
        }

        /// What weights of so many bytes take in a step of a busy pipeline.
        func seconds(bytes: Double, rowMultiplyAdds: Double) -> Double {
            // A node that measured nothing sensible counts as very slow, not as infinitely fast.
            let speed = readBytesPerSecond.isFinite ? max(readBytesPerSecond, 1) : 1
            let reading = bytes / speed
            guard multiplyAddsPerSecond.isFinite, multiplyAddsPerSecond >= 1 else { return reading }
            return max(reading, PipelinePlanner.stepRowCount * rowMultiplyAdds / multiplyAddsPerSecond)
        }
    }

    /// How large a KV pool is asked for, in blocks.
    public struct BlockDemand: Hashable, Sendable {
        /// Below this no plan is given.
        public var minimum: Int
        /// The split is chosen so that so many fit, if there is such a split; else for half of it, and so on.
        public var wanted: Int
        /// Memory that is left lets the pool grow up to this.
        public var maximum: Int
        /// The pool may grow into one part in so many of the memory: the rest is for models planned later.
        public var sharerCount: Int

        public init(minimum: Int, wanted: Int, maximum: Int, sharerCount: Int = 1) {
            self.minimum = Swift.max(1, minimum)
            self.wanted = Swift.max(self.minimum, wanted)
            self.maximum = Swift.max(self.wanted, maximum)
            self.sharerCount = Swift.max(1, sharerCount)
        }
    }

    private let model: ModelProfile
    private let nodes: [Node]
    /// Weight bytes of the layers before each layer.
    private let bytesBefore: [UInt64]
    /// Multiply-adds of a row in the layers before each layer.
    private let multiplyAddsBefore: [UInt64]
    /// The rows of a step in a busy pipeline.
    private static let stepRowCount = 16.0
    /// KV bytes of one block in one layer.
    private let layerBlockBytes: UInt64

    /// - Parameter nodes: in the order in which stages may lie on them.
    public static func plan(
        _ model: ModelProfile, on nodes: [Node], blocks: BlockDemand
    ) throws(PlanningFailure) -> PipelinePlan {
        guard model.layerCount > 0, model.layerBytes.count == model.layerCount else {
            throw PlanningFailure(
                "the profile of model \(model.name) names \(model.layerCount) layers and sizes of "
                    + "\(model.layerBytes.count): load the model file again")
        }
        guard !nodes.isEmpty else { throw PlanningFailure("no node is connected") }
        let planner = PipelinePlanner(model: model, nodes: nodes)
        var blockCount = blocks.wanted
        while true {
            if let stages = planner.split(blockCount: blockCount) {
                return planner.plan(stages, blockCount: blockCount, blocks)
            }
            guard blockCount > blocks.minimum else { throw planner.failure(blockCount: blockCount) }
            blockCount = max(blocks.minimum, blockCount / 2)
        }
    }

    private init(model: ModelProfile, nodes: [Node]) {
        self.model = model
        self.nodes = nodes
        var sum: UInt64 = 0
        var bytesBefore: [UInt64] = [0]
        for bytes in model.layerBytes {
            sum = sum.addingSaturating(bytes)
            bytesBefore.append(sum)
        }
        self.bytesBefore = bytesBefore
        multiplyAddsBefore = model.layerMultiplyAdds.reduce(into: [0]) { before, layer in
            before.append(before[before.count - 1].addingSaturating(layer))
        }
        layerBlockBytes = UInt64(max(0, model.kvBytesPerPositionPerLayer))
            .multipliedSaturating(by: UInt64(BlockID.positionCount))
    }

    // MARK: Costs

    private func weightBytes(_ layers: Range<Int>) -> UInt64 {
        timedBytes(layers).addingSaturating(layers.lowerBound == 0 ? model.embeddingBytes : 0)
    }

    /// The bytes that are read for each decode row.
    private func timedBytes(_ layers: Range<Int>) -> UInt64 {
        (bytesBefore[layers.upperBound] - bytesBefore[layers.lowerBound])
            .addingSaturating(layers.upperBound == model.layerCount ? model.headBytes : 0)
    }

    private func blockBytes(_ layers: Range<Int>) -> UInt64 {
        layerBlockBytes.multipliedSaturating(by: UInt64(layers.count))
    }

    private func seconds(_ layers: Range<Int>, on node: Node) -> Double {
        node.seconds(bytes: Double(timedBytes(layers)), rowMultiplyAdds: Double(multiplyAdds(layers)))
    }

    /// Of one row; 0 where the model does not tell.
    private func multiplyAdds(_ layers: Range<Int>) -> UInt64 {
        guard multiplyAddsBefore.count == bytesBefore.count else { return 0 }
        return (multiplyAddsBefore[layers.upperBound] - multiplyAddsBefore[layers.lowerBound])
            .addingSaturating(layers.upperBound == model.layerCount ? model.headMultiplyAdds : 0)
    }

    private func fits(_ layers: Range<Int>, on node: Node, blockCount: Int) -> Bool {
        blockBytes(layers).multipliedSaturating(by: UInt64(blockCount)).addingSaturating(weightBytes(layers))
            <= node.memoryBytes
    }

    // MARK: The split

    /// For each node its layers, nil for a node left out; nil when nothing fits.
    private func split(blockCount: Int) -> [Range<Int>?]? {
        let slowest = leastCosts(blockCount: blockCount) { cost, seconds in max(cost, seconds) }
        guard let limit = slowest[nodes.count][model.layerCount]?.cost else { return nil }
        let even = leastCosts(blockCount: blockCount) { cost, seconds in
            seconds <= limit ? cost + seconds * seconds : nil
        }
        var stages: [Range<Int>?] = Array(repeating: nil, count: nodes.count)
        var end = model.layerCount
        for index in nodes.indices.reversed() {
            guard let start = even[index + 1][end]?.start, start < end else { continue }
            stages[index] = start..<end
            end = start
        }
        return stages
    }

    private struct Choice {
        var cost: Double
        /// Where the last node's layers begin; the end of the layers when it is left out.
        var start: Int
    }

    /// Element [n][l]: the least cost of holding the first l layers on the first n nodes; nil when they do not fit.
    private func leastCosts(blockCount: Int, adding: (Double, Double) -> Double?) -> [[Choice?]] {
        var table: [[Choice?]] = [Array(repeating: nil, count: model.layerCount + 1)]
        table[0][0] = Choice(cost: 0, start: 0)
        for (index, node) in nodes.enumerated() {
            var row: [Choice?] = Array(repeating: nil, count: model.layerCount + 1)
            for end in 0...model.layerCount {
                if let without = table[index][end] { row[end] = Choice(cost: without.cost, start: end) }
                for start in (0..<end).reversed() {
                    guard fits(start..<end, on: node, blockCount: blockCount) else { break }
                    guard let before = table[index][start],
                        let cost = adding(before.cost, seconds(start..<end, on: node)),
                        row[end].map({ cost < $0.cost }) ?? true
                    else { continue }
                    row[end] = Choice(cost: cost, start: start)
                }
            }
            table.append(row)
        }
        return table
    }

    // MARK: The result

    private func plan(_ split: [Range<Int>?], blockCount: Int, _ demand: BlockDemand) -> PipelinePlan {
        var stages: [PipelinePlan.Stage] = []
        var bottleneck = 0.0
        var fitting = UInt64(demand.maximum)
        for (node, layers) in zip(nodes, split) {
            guard let layers else { continue }
            let stage = PipelinePlan.Stage(
                node: node.id,
                units: StageUnits(
                    layers: layers, hasEmbedding: layers.lowerBound == 0,
                    hasHead: layers.upperBound == model.layerCount),
                weightBytes: weightBytes(layers), blockBytes: blockBytes(layers))
            stages.append(stage)
            bottleneck = max(bottleneck, seconds(layers, on: node))
            if stage.blockBytes > 0 {
                let left = (node.memoryBytes - stage.weightBytes) / UInt64(demand.sharerCount)
                fitting = min(fitting, left / stage.blockBytes)
            }
        }
        return PipelinePlan(
            stages: stages, blockCount: max(blockCount, Int(fitting)), bottleneckSeconds: bottleneck)
    }

    private func failure(blockCount: Int) -> PlanningFailure {
        let all = 0..<model.layerCount
        let weights = weightBytes(all)
        let kv = blockBytes(all).multipliedSaturating(by: UInt64(blockCount))
        let needed = weights.addingSaturating(kv)
        let had = nodes.reduce(UInt64(0)) { $0.addingSaturating($1.memoryBytes) }
        let positionCount = blockCount.multipliedReportingOverflow(by: BlockID.positionCount).partialValue
        let need =
            "model \(model.name) needs \(needed.byteCountText) (\(needed) bytes: \(weights.byteCountText) of weights, "
            + "\(kv.byteCountText) of KV for \(positionCount) positions); the \(nodes.count) connected "
            + "node\(nodes.count == 1 ? "" : "s") may use \(had.byteCountText) (\(had) bytes)"
        if needed > had {
            return PlanningFailure(need + ": add nodes, raise their memory limits, or serve a shorter context")
        }
        let largest = nodes.reduce(UInt64(0)) { max($0, $1.memoryBytes) }
        return PlanningFailure(
            need + ", but no split into whole layers fits (embedding \(model.embeddingBytes.byteCountText), head "
                + "\(model.headBytes.byteCountText), the largest node may use \(largest.byteCountText)): "
                + "raise the nodes' memory limits")
    }
}
