import Vocabulary

/// Which nodes the replicas get.
extension ModelReplicas {
    /// What pipelines of other models have of a node.
    struct NodeUse: Sendable {
        var bytes: UInt64 = 0
        var stageCount = 0
    }

    mutating func nodeJoined(among nodes: [NodeDescription]) {
        for index in pipelines.indices { pipelines[index].nodeJoined(among: nodes) }
    }

    /// - Parameter isReplaced: a new process goes by the node's name: it holds nothing.
    mutating func nodeLost(_ node: NodeID, reason: String, isReplaced: Bool) {
        for index in pipelines.indices { pipelines[index].nodeLost(node, reason: reason, isReplaced: isReplaced) }
    }

    var needsForming: Bool { pipelines.contains(where: \.needsForming) }

    /// Plans and prepares replicas that have no stages, as many as the nodes suffice for. Replicas never share nodes:
    /// they would only take turns.
    ///
    /// - Parameters:
    ///   - nodes: those connected, in order of their names.
    ///   - sharerCount: models that are not placed yet, this one among them.
    mutating func form(
        on nodes: [NodeDescription], sharerCount: Int, uses: (NodeID) -> NodeUse, at now: Instant
    ) {
        // All that wait share what is free.
        var forming = pipelines.indices.filter { pipelines[$0].needsForming || pipelines[$0].isWaiting }
        for index in forming { pipelines[index].needsForming = false }
        guard nodes.count >= max(1, settings.nodeCountMin) else {
            for index in forming {
                pipelines[index].wait(
                    "waiting for nodes: \(nodes.count) of \(max(1, settings.nodeCountMin)) are connected")
            }
            return
        }
        var free = nodes.map { planned($0, uses($0.node)) }
        for index in pipelines.indices where !forming.contains(index) {
            remove(pipelines[index].plan, from: &free)
        }
        // The plan that was is kept where it can be: its nodes have the weights.
        for index in forming {
            guard let plan = pipelines[index].plan, Self.holds(plan, on: free) else { continue }
            remove(plan, from: &free)
            prepare(index, plan, on: nodes, at: now)
            forming.removeAll { $0 == index }
        }
        if !forming.isEmpty { place(forming, on: free, among: nodes, sharerCount: sharerCount, at: now) }
    }

    private mutating func place(
        _ forming: [Int], on free: [PipelinePlanner.Node], among nodes: [NodeDescription], sharerCount: Int,
        at now: Instant
    ) {
        var left = free
        var plans: [PipelinePlan] = []
        do throws(PlanningFailure) {
            plans = try ReplicaPlanner.plans(
                of: model, count: forming.count, on: free, blocks: blockDemand(sharerCount: sharerCount))
            for plan in plans { remove(plan, from: &left) }
        } catch {
            for index in forming { wait(index, error, free, nodeCount: nodes.count) }
            return
        }
        for (index, plan) in zip(forming, plans) { prepare(index, plan, on: nodes, at: now) }
        guard plans.count < forming.count else { return }
        let failure = PlanningFailure(
            "the \(free.count) free node\(free.count == 1 ? "" : "s") suffice for \(plans.count) more of "
                + "\(forming.count) only")
        for index in forming.dropFirst(plans.count) { wait(index, failure, left, nodeCount: nodes.count) }
    }

    private mutating func prepare(_ index: Int, _ plan: PipelinePlan, on nodes: [NodeDescription], at now: Instant) {
        // Others that wait may have something there, or be waiting to come back. It goes before what comes.
        for other in pipelines.indices where other != index && pipelines[other].isWaiting {
            pipelines[other].yield(plan.stages.map(\.node), among: nodes)
            drain(other, at: now)
        }
        pipelines[index].prepare(plan, on: nodes, at: now)
    }

    private mutating func wait(
        _ index: Int, _ failure: PlanningFailure, _ free: [PipelinePlanner.Node], nodeCount: Int
    ) {
        guard pipelines.count > 1 else { return pipelines[index].wait(failure.reason) }
        let name = "replica \(index + 1) of \(pipelines.count)"
        if free.isEmpty {
            pipelines[index].wait(
                "\(name) has no nodes: other replicas of model \(model.name) hold all \(nodeCount) that are connected; "
                    + "connect more nodes or set 'replicas' lower")
        } else {
            pipelines[index].wait(
                "\(name) cannot be placed on the nodes that others leave: \(failure.reason); "
                    + "connect more nodes, raise their memory limits or set 'replicas' lower")
        }
    }

    private func planned(_ node: NodeDescription, _ use: NodeUse) -> PipelinePlanner.Node {
        let headroom = min(max(settings.memoryHeadroomFraction, 0), 0.95)
        let usable = UInt64(Double(node.memoryLimitBytes) * (1 - headroom))
        // Nobody knows who will be asked how much: stages on a node are taken to need as much of it.
        let share = Double(use.stageCount + 1)
        return PipelinePlanner.Node(
            id: node.node, memoryBytes: usable - min(usable, use.bytes),
            readBytesPerSecond: node.readBytesPerSecond / share,
            multiplyAddsPerSecond: node.multiplyAddsPerSecond / share)
    }

    private func remove(_ plan: PipelinePlan?, from nodes: inout [PipelinePlanner.Node]) {
        guard let plan else { return }
        nodes.removeAll { plan.stageIndex(of: $0.id) != nil }
    }

    private static func holds(_ plan: PipelinePlan, on nodes: [PipelinePlanner.Node]) -> Bool {
        plan.stages.allSatisfy { stage in
            guard let node = nodes.first(where: { $0.id == stage.node }) else { return false }
            return plan.memoryBytes(on: stage.node) <= node.memoryBytes
        }
    }

    private func blockDemand(sharerCount: Int) -> PipelinePlanner.BlockDemand {
        let context = max(1, contextTokenCount)
        let largest = max(1, limits.kvTokenCountMax ?? context.multipliedReportingOverflow(by: 4).partialValue)
        // A pool smaller than the context still serves shorter requests; one too small to be of use does not.
        let wanted = min(context, largest)
        return PipelinePlanner.BlockDemand(
            minimum: BlockPool.blockCount(positionCount: min(wanted, 2048)),
            wanted: BlockPool.blockCount(positionCount: wanted),
            maximum: min(BlockPool.blockCount(positionCount: largest), Int(UInt32.max)), sharerCount: sharerCount)
    }
}
