import Vocabulary
import Wire

/// Connections that this process opens.
extension PeerManager {
    /// How long another set of lanes may take to come up before the own one is tried again.
    private static let duplicateTime = Instant.Span.milliseconds(200)
    private static let lookTime = Instant.Span.milliseconds(2)

    /// Returns the connected peer, new or there already. From any task.
    func connect(host: String, port: Int, expecting: NodeID?) async throws -> PeerIdentity {
        if let expecting, let peer = peer(expecting) { return peer.identity }
        try requireOwnCertificate(isCurrent: true)
        let deadline = EventLoop.now + options.connectTimeout
        let addresses = try await lookup.addresses(
            host: host, port: port, deadline: deadline)
        for address in addresses { try Socket.requireAllowed(address, options) }
        let task = Task(executorPreference: loop) {
            try await self.connectOnLoop(addresses, expecting: expecting, deadline: deadline)
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func connectOnLoop(
        _ addresses: [SocketAddress], expecting: NodeID?, deadline: Instant
    ) async throws -> PeerIdentity {
        var failure: any Error = TransportError(.timedOut, "no time to connect")
        // Each address in turn; an address whose process prefers other lanes is asked again.
        var index = 0
        while index < addresses.count {
            guard !isShutDown else { throw Self.shutDownError }
            if let expecting, let peer = peer(expecting) { return peer.identity }
            do {
                return try await attempt(addresses[index], expecting: expecting, deadline: deadline).identity
            } catch let duplicate as ConnectAttempt.Duplicate {
                let node = duplicate.node ?? expecting
                if let peer = await other(node, duplicate.incarnation, deadline: deadline) { return peer.identity }
            } catch {
                failure = error
                index += 1
            }
            try Task.checkCancellation()
            if EventLoop.now >= deadline { break }
        }
        guard index < addresses.count else { throw failure }
        throw TransportError(
            .timedOut, "no connection to \(addresses[index]) within \(options.connectTimeout.seconds) s",
            peer: expecting)
    }

    private func attempt(
        _ address: SocketAddress, expecting: NodeID?, deadline: Instant
    ) async throws -> Peer {
        let attempt = ConnectAttempt(manager: self, address: address, expecting: expecting)
        attempts.append(attempt)
        defer { attempts.removeAll { $0 === attempt } }
        let timer = loop.schedule(at: deadline) { [weak attempt, options] in
            attempt?.abort(
                TransportError(
                    .timedOut, "no connection to \(address) within \(options.connectTimeout.seconds) s",
                    peer: expecting))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await attempt.run()
        } onCancel: {
            loop.execute { attempt.abort(CancellationError()) }
        }
    }

    /// Waits for a process whose lanes come up by another attempt, its own or an earlier one of ours.
    private func other(_ node: NodeID?, _ incarnation: Incarnation?, deadline: Instant) async -> Peer? {
        let end = min(deadline, EventLoop.now + Self.duplicateTime)
        while true {
            if let node, let peer = peer(node) { return peer }
            if let incarnation, let peer = peer(ofIncarnation: incarnation) { return peer }
            guard EventLoop.now < end, !Task.isCancelled, !isShutDown else { return nil }
            await loop.sleep(Self.lookTime)
        }
    }

    func identity(of welcome: Welcome) throws -> PeerIdentity {
        guard let role = PeerRole(rawValue: welcome.role) else {
            throw TransportError(
                .protocolViolation, "\(welcome.node) says it is \(welcome.role), which is no role", peer: welcome.node)
        }
        return PeerIdentity(node: welcome.node, incarnation: welcome.incarnation, role: role)
    }

    /// The attempt's control lane is welcomed: which process it reaches is known. Throws when other lanes go before.
    func attempt(_ attempt: ConnectAttempt, isWelcomedBy welcome: Welcome) throws {
        let node = welcome.node
        guard node != identity.node else {
            throw TransportError(.wrongPeer, "this process has connected to itself: check the address")
        }
        let duplicate = ConnectAttempt.Duplicate(node: node, incarnation: welcome.incarnation)
        if let old = peer(node) {
            guard old.identity.incarnation != welcome.incarnation else { throw duplicate }
            lose(old, reason: "it was started anew")
        }
        for other in attempts where other !== attempt && other.target == node && other.isWelcomed { throw duplicate }
        guard let set = sets[node] else { return }
        if set.identity.incarnation == welcome.incarnation, node < identity.node { throw duplicate }
        sets[node] = nil
        set.close(TransportError(.notAdmitted, "\(identity.node) is connecting to \(node) itself"))
    }
}
