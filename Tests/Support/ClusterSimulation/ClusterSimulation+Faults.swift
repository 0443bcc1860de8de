import Orchestration
import Vocabulary

/// What goes wrong. Whatever breaks is mended after a while.
extension ClusterSimulation {
    mutating func faultStrikes() {
        let index = Int.random(in: nodes.indices, using: &random)
        guard nodes[index].isAlive else { return }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: kill(index)
        case 1: cutFromCoordinator(index)
        case 2: cut(index, Int.random(in: nodes.indices, using: &random))
        default:
            // Sometimes shorter than the deadlines, sometimes longer.
            nodes[index].hungUntil = later(1_000...700_000)
        }
    }

    private mutating func kill(_ index: Int) {
        nodes[index].isAlive = false
        let lost = nodes[index]
        links.cut(index, nil)
        if lost.isRegistered {
            schedule.add(
                .coordinatorHears(.nodeLost(lost.id, lost.incarnation, reason: "killed")), at: later(10...3_000))
        }
        for peer in nodes.indices where peer != index {
            links.cut(index, peer)
            schedule.add(
                .nodeHears(peer, nodes[peer].incarnation, .peerLost(lost.id, reason: "killed")), at: later(10...3_000))
        }
        schedule.add(.nodeStarts(index), at: later(100...100_000))
    }

    private mutating func cutFromCoordinator(_ index: Int) {
        guard nodes[index].isRegistered else { return }
        let node = nodes[index]
        links.cut(index, nil)
        nodes[index].isRegistered = false
        let heard = later(10...3_000)
        schedule.add(.coordinatorHears(.nodeLost(node.id, node.incarnation, reason: "cut off")), at: heard)
        schedule.add(.nodeHears(index, node.incarnation, .coordinatorLost), at: heard)
    }

    private mutating func cut(_ first: Int, _ second: Int) {
        guard first != second else { return }
        links.cut(first, second)
        for (index, peer) in [(first, second), (second, first)] {
            schedule.add(
                .nodeHears(index, nodes[index].incarnation, .peerLost(nodes[peer].id, reason: "cut")),
                at: later(10...3_000))
        }
    }
}
