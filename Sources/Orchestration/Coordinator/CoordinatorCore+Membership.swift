import Vocabulary

/// Nodes come and go.
extension CoordinatorCore {
    mutating func nodeRegistered(
        _ description: NodeDescription, at now: Instant, _ commands: inout [CoordinatorCommand]
    ) {
        let node = description.node
        let known = membership.status(of: node)
        let isReplaced = known.map { $0.description.incarnation != description.incarnation } ?? false
        let isMoved = known.map {
            ($0.description.host, $0.description.port) != (description.host, description.port)
        }
        membership.insert(description)
        if isReplaced || isMoved == true && known?.isConnected == true {
            let reason = isReplaced ? "it started anew" : "it is at another address"
            if known?.isConnected == true { commands.append(.note(.warning, "node \(node) is replaced: \(reason)")) }
            tellLoss(of: node, reason: reason, isReplaced: isReplaced, at: now)
        }
        if known?.isConnected != true {
            commands.append(
                .note(
                    .info,
                    "node \(node) joined: \(description.threadCount) threads, \(description.instructionSet), "
                        + "\(description.memoryLimitBytes.byteCountText) of memory, reads "
                        + "\(Self.byteCountPerSecond(description.readBytesPerSecond).byteCountText) a second"))
        }
        let nodes = membership.connected
        for index in models.indices {
            models[index].nodeJoined(among: nodes)
            models[index].settle(at: now)
        }
    }

    mutating func nodeLost(
        _ node: NodeID, _ incarnation: Incarnation, reason: String, at now: Instant,
        _ commands: inout [CoordinatorCommand]
    ) {
        guard let known = membership.status(of: node), known.isConnected, known.description.incarnation == incarnation
        else {
            commands.append(.note(.debug, "ignored the loss of node \(node): that incarnation is not connected"))
            return
        }
        membership.disconnect(node)
        commands.append(.note(.warning, "node \(node) is lost: \(reason)"))
        tellLoss(of: node, reason: reason, isReplaced: false, at: now)
    }

    private mutating func tellLoss(of node: NodeID, reason: String, isReplaced: Bool, at now: Instant) {
        for index in models.indices {
            models[index].nodeLost(node, reason: reason, isReplaced: isReplaced)
            models[index].settle(at: now)
        }
    }

    private static func byteCountPerSecond(_ measured: Double) -> UInt64 {
        UInt64(exactly: measured.rounded()) ?? 0
    }
}
