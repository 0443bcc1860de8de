import ClusterSimulation
import Orchestration
import Testing
import Vocabulary

@Suite struct PipelinePlannerTests {
    /// Proportions of SmolLM2-135M: 30 layers, the head a fifth of all weights.
    private static func model(layerCount: Int = 30, layer: UInt64 = 2_200_000, head: UInt64 = 30_000_000)
        -> ModelProfile
    {
        ModelProfile(
            name: "m", fingerprint: "f", layerCount: layerCount, hiddenSize: 576, vocabularySize: 49152,
            contextLength: 8192, embeddingBytes: 30_000_000,
            layerBytes: Array(repeating: layer, count: layerCount), headBytes: head, kvBytesPerPositionPerLayer: 768,
            endTokens: [2])
    }

    private static func nodes(_ speeds: [Double], memoryBytes: UInt64 = 4_000_000_000) -> [PipelinePlanner.Node] {
        speeds.enumerated().map { index, speed in
            PipelinePlanner.Node(
                id: node(index), memoryBytes: memoryBytes, readBytesPerSecond: speed)
        }
    }

    private static func node(_ index: Int) -> NodeID { NodeID("n\(index + 1000)") ?? .coordinator }

    private static let demand = PipelinePlanner.BlockDemand(minimum: 64, wanted: 256, maximum: 1024)

    private func checkCovers(_ plan: PipelinePlan, _ model: ModelProfile) {
        var next = 0
        for (index, stage) in plan.stages.enumerated() {
            #expect(stage.units.layers.lowerBound == next && !stage.units.layers.isEmpty)
            next = stage.units.layers.upperBound
            #expect(stage.units.hasEmbedding == (index == 0))
            #expect(stage.units.hasHead == (index == plan.stages.count - 1))
        }
        #expect(next == model.layerCount)
        #expect(
            plan.stages.reduce(0) { $0 + $1.weightBytes }
                == model.embeddingBytes + model.headBytes + model.layerBytes.reduce(0, +))
    }

    @Test(arguments: [1, 2, 3, 5, 30])
    func splitsOverEqualNodes(count: Int) throws {
        let model = Self.model()
        let plan = try PipelinePlanner.plan(
            model, on: Self.nodes(Array(repeating: 10e9, count: count)), blocks: Self.demand)
        checkCovers(plan, model)
        #expect(plan.stages.count == count)
        #expect(plan.stages.map(\.node) == (0..<count).map(Self.node))
        #expect(plan.blockCount == 1024)
        // The head takes the place of layers on the last stage.
        if count == 3 { #expect(plan.stages.map(\.units.layers.count) == [15, 14, 1]) }
    }

    @Test func aFullStepIsMultipliedLongerThanItsWeightsAreRead() throws {
        var model = Self.model()
        model.layerMultiplyAdds = Array(repeating: 3_538_944, count: 30)
        model.headMultiplyAdds = 576 * 49_152
        let nodes = (0..<2).map {
            PipelinePlanner.Node(
                id: Self.node($0), memoryBytes: 4_000_000_000, readBytesPerSecond: 20e9, multiplyAddsPerSecond: 150e9)
        }
        let plan = try PipelinePlanner.plan(model, on: nodes, blocks: Self.demand)
        checkCovers(plan, model)
        // The head has the bytes of 14 layers, but the multiply-adds of 8.
        #expect(plan.stages.map(\.units.layers.count) == [19, 11])
    }

    @Test func moreNodesThanLayersLeavesSomeUnused() throws {
        let model = Self.model(layerCount: 4)
        let plan = try PipelinePlanner.plan(model, on: Self.nodes([1e9, 9e9, 9e9, 9e9, 9e9, 1e9]), blocks: Self.demand)
        checkCovers(plan, model)
        #expect(plan.stages.count <= 4)
        #expect(!plan.stages.map(\.node).contains(Self.node(5)))
    }

    @Test func fasterNodesHoldMore() throws {
        let model = Self.model(head: 0)
        let plan = try PipelinePlanner.plan(model, on: Self.nodes([5e9, 10e9]), blocks: Self.demand)
        #expect(plan.stages.map(\.units.layers.count) == [10, 20])
    }

    @Test func nodesWithoutASpeedAreSpared() throws {
        let plan = try PipelinePlanner.plan(Self.model(), on: Self.nodes([.nan, 0, 8e9]), blocks: Self.demand)
        #expect(plan.stages.map(\.node) == [Self.node(2)])
    }

    /// 42 layers over 16 stages: ten of three and six of two.
    @Test func restIsSpreadEvenly() throws {
        let plan = try PipelinePlanner.plan(
            Self.model(layerCount: 42, head: 0), on: Self.nodes(Array(repeating: 1e9, count: 16)), blocks: Self.demand)
        let counts = plan.stages.map(\.units.layers.count).sorted()
        #expect(counts == Array(repeating: 2, count: 6) + Array(repeating: 3, count: 10))
    }

    @Test func memoryDecidesBeforeSpeed() throws {
        let model = Self.model()
        var nodes = Self.nodes([20e9, 1e9])
        nodes[0].memoryBytes = 60_000_000
        let plan = try PipelinePlanner.plan(
            model, on: nodes, blocks: .init(minimum: 1, wanted: 4, maximum: 4))
        checkCovers(plan, model)
        #expect(plan.memoryBytes(on: Self.node(0)) <= 60_000_000)
        #expect(plan.stages[1].units.layers.count > plan.stages[0].units.layers.count)
    }

    @Test func poolShrinksBeforeThePlanFails() throws {
        let model = Self.model()
        let weights: UInt64 = 126_000_000
        let block: UInt64 = 30 * 768 * 32
        let nodes = Self.nodes([1e9], memoryBytes: weights + 100 * block)
        let plan = try PipelinePlanner.plan(model, on: nodes, blocks: Self.demand)
        #expect(plan.blockCount == 100)
        #expect(throws: PlanningFailure.self) {
            _ = try PipelinePlanner.plan(
                model, on: Self.nodes([1e9], memoryBytes: weights + 63 * block), blocks: Self.demand)
        }
    }

    @Test func poolLeavesRoomForModelsPlannedLater() throws {
        let block: UInt64 = 30 * 768 * 32
        let nodes = Self.nodes([1e9], memoryBytes: 126_000_000 + 800 * block)
        let plan = try PipelinePlanner.plan(
            Self.model(), on: nodes, blocks: .init(minimum: 64, wanted: 256, maximum: 1024, sharerCount: 2))
        #expect(plan.blockCount == 400)
    }

    @Test func reasonsNameTheBytes() {
        let short = #expect(throws: PlanningFailure.self) {
            _ = try PipelinePlanner.plan(
                Self.model(), on: Self.nodes([1e9, 1e9], memoryBytes: 20_000_000), blocks: Self.demand)
        }
        #expect(short?.reason.contains("(40000000 bytes)") == true)
        #expect(short?.reason.contains("126 MB of weights") == true)
        let uneven = #expect(throws: PlanningFailure.self) {
            _ = try PipelinePlanner.plan(
                Self.model(), on: Self.nodes(Array(repeating: 1e9, count: 20), memoryBytes: 20_000_000),
                blocks: Self.demand)
        }
        #expect(uneven?.reason.contains("no split into whole layers fits") == true)
        let none = #expect(throws: PlanningFailure.self) {
            _ = try PipelinePlanner.plan(Self.model(), on: [], blocks: Self.demand)
        }
        #expect(none?.reason == "no node is connected")
    }

    @Test func absurdSizesAreAReasonToo() {
        var model = Self.model(layer: .max / 2)
        model.kvBytesPerPositionPerLayer = .max
        #expect(throws: PlanningFailure.self) {
            _ = try PipelinePlanner.plan(model, on: Self.nodes([1e9]), blocks: Self.demand)
        }
        model.layerBytes = []
        #expect(throws: PlanningFailure.self) {
            _ = try PipelinePlanner.plan(model, on: Self.nodes([1e9]), blocks: Self.demand)
        }
    }

    /// Against every contiguous split there is.
    @Test func isAsFastAsTheBestOfAllSplits() throws {
        var random = SeededRandom(seed: 5)
        for _ in 0..<400 {
            let layerCount = Int.random(in: 1...6, using: &random)
            var model = Self.model(layerCount: layerCount, head: UInt64.random(in: 0...40, using: &random))
            model.layerBytes = (0..<layerCount).map { _ in UInt64.random(in: 1...20, using: &random) }
            model.embeddingBytes = UInt64.random(in: 0...30, using: &random)
            model.kvBytesPerPositionPerLayer = 1
            let nodes = (0..<Int.random(in: 1...4, using: &random)).map { index in
                PipelinePlanner.Node(
                    id: Self.node(index), memoryBytes: UInt64.random(in: 10...200, using: &random),
                    readBytesPerSecond: Double.random(in: 1...10, using: &random))
            }
            let best = Self.bestSeconds(model, nodes[...], from: 0)
            let plan = try? PipelinePlanner.plan(model, on: nodes, blocks: .init(minimum: 1, wanted: 1, maximum: 1))
            #expect(plan?.bottleneckSeconds == best)
            if let plan {
                checkCovers(plan, model)
                for node in nodes { #expect(plan.memoryBytes(on: node.id) <= node.memoryBytes) }
            }
        }
    }

    private static func bestSeconds(
        _ model: ModelProfile, _ nodes: ArraySlice<PipelinePlanner.Node>, from start: Int
    ) -> Double? {
        if start == model.layerCount { return 0 }
        guard let node = nodes.first else { return nil }
        var best = bestSeconds(model, nodes.dropFirst(), from: start)
        for end in (start + 1)...model.layerCount {
            let timed = model.layerBytes[start..<end].reduce(0, +) + (end == model.layerCount ? model.headBytes : 0)
            let held = timed + (start == 0 ? model.embeddingBytes : 0) + UInt64(end - start) * 32
            guard held <= node.memoryBytes, let rest = bestSeconds(model, nodes.dropFirst(), from: end) else {
                continue
            }
            let seconds = max(rest, Double(timed) / node.readBytesPerSecond)
            best = best.map { min($0, seconds) } ?? seconds
        }
        return best
    }
}
