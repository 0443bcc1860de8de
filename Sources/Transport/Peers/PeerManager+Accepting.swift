import Identity
import Logging
import Vocabulary
import Wire

/// Connections that others open.
extension PeerManager {
    func accepted(_ socket: Socket) {
        // Without an address it is gone already.
        guard !isShutDown, let address = socket.remoteAddress else { return }
        let now = EventLoop.now
        switch halfOpen.admission(from: address.origin, at: now) {
        case .admitted: break
        case .insteadOf(let slow):
            halfOpen.remove(slow)
            slow.close(TransportError(.notAdmitted, "no complete hello before others came"))
        case .refused:
            return logger.debug("too many connections without a hello: one more of \(address) is closed")
        }
        do {
            let greeter = Greeter(
                connection: try connection(socket, accepts: true), onGreeting: { [weak self] in self?.greeted($0, $1) },
                onEnded: { [weak self] in self?.ended($0, $1) })
            halfOpen.add(greeter, from: address.origin, at: now)
            do {
                try greeter.open(loop: loop, timeout: options.handshakeTimeout)
            } catch {
                halfOpen.remove(greeter.connection)
                greeter.close(error)
                throw error
            }
        } catch {
            logger.warning("cannot serve a connection: \(error)")
        }
    }

    private func ended(_ greeter: Greeter, _ end: LaneEnd) {
        let from = greeter.connection.remoteAddress.map(String.init(describing:)) ?? "an unknown address"
        logger.debug("no handshake with \(from): \(end.reason)")
        switch end.kind {
        case .version: refuse(greeter.connection, RemoteFailure.Code.unsupportedVersion, end.reason)
        case .forbidden: refuse(greeter.connection, RemoteFailure.Code.forbidden, end.reason)
        case .connection, .encryption, .violation: halfOpen.remove(greeter.connection)
        }
    }

    private func greeted(_ greeter: Greeter, _ greeting: Greeter.Greeting) {
        switch greeting {
        case .hello(let hello): greeted(greeter.connection, hello)
        case .enrol(let enrol): asked(greeter.connection, enrol)
        }
    }

    private func greeted(_ connection: LaneConnection, _ hello: Hello) {
        if let reason = objection(to: hello, on: connection) {
            return refuse(connection, RemoteFailure.Code.forbidden, reason)
        }
        guard let version = WireVersion.negotiate(with: hello.versions) else {
            return refuse(
                connection, RemoteFailure.Code.unsupportedVersion,
                "\(hello.node) speaks protocol versions \(hello.versions.lowerBound) to "
                    + "\(hello.versions.upperBound), \(identity.node) \(WireVersion.oldest) to \(WireVersion.newest)")
        }
        guard let role = PeerRole(rawValue: hello.role) else {
            return refuse(connection, RemoteFailure.Code.malformed, "\(hello.role) is no role")
        }
        guard hello.node != identity.node else {
            return refuse(
                connection, RemoteFailure.Code.wrongPeer,
                "\(identity.node) is this process's own name: give each process another one")
        }
        if hello.generation > 0 { return readmit(connection, hello, version) }
        if hello.lane == .control {
            let peer = PeerIdentity(node: hello.node, incarnation: hello.incarnation, role: role)
            guard sets.count < options.halfOpenCountMax else {
                return refuse(
                    connection, RemoteFailure.Code.overloaded, "\(identity.node) has too many connections coming up")
            }
            guard makeWay(for: peer, connection) else { return }
            welcome(connection, hello, peer, version)
        } else {
            add(connection, hello, version)
        }
    }

    /// Whose certificate it is, says the handshake of TLS; a node can't speak for another.
    private func objection(to hello: Hello, on connection: LaneConnection) -> String? {
        guard options.security != nil else { return nil }
        guard let certified = connection.authentication.identity else { return "no certificate was shown" }
        guard certified.name == hello.node, certified.role.rawValue == hello.role else {
            return
                "the certificate is that of \(certified), the hello is that of \(hello.role) '\(hello.node)': nobody "
                + "speaks for another"
        }
        return revocation(of: connection)
    }

    /// Decides whether other lanes of the same pair give way to new ones; refuses the new ones if not.
    private func makeWay(for newcomer: PeerIdentity, _ connection: LaneConnection) -> Bool {
        let node = newcomer.node
        if let old = peer(node) {
            guard old.identity.incarnation != newcomer.incarnation else {
                // If the old lanes are dead, this shows it.
                old.ping(ifSilentFor: Instant.Span(nanoseconds: 0), at: EventLoop.now)
                return refuseDuplicate(connection, "\(node) is connected already")
            }
            lose(old, reason: "it was started anew")
        }
        if let set = sets[node] {
            guard set.identity.incarnation != newcomer.incarnation else {
                return refuseDuplicate(connection, "\(node) is connecting already")
            }
            sets[node] = nil
            set.close(TransportError(.notAdmitted, "\(node) was started anew"))
        }
        for attempt in attempts where attempt.target == node {
            // Lanes that the other end has welcomed already would otherwise be lost at once.
            guard !attempt.isWelcomed, node < identity.node else {
                return refuseDuplicate(connection, "\(identity.node) is connecting to \(node) itself")
            }
            attempt.abort(ConnectAttempt.Duplicate(node: node, incarnation: newcomer.incarnation))
        }
        return true
    }

    private func refuseDuplicate(_ connection: LaneConnection, _ message: String) -> Bool {
        refuse(connection, RemoteFailure.Code.duplicate, message)
        return false
    }

    private func welcome(
        _ connection: LaneConnection, _ hello: Hello, _ peer: PeerIdentity, _ version: UInt8
    ) {
        let timer = loop.schedule(after: options.handshakeTimeout) { [weak self] in
            guard let self, let set = sets[peer.node], set.hello.link == hello.link else { return }
            ended(set)
        }
        let set = LaneSet(
            identity: peer, hello: hello, version: version, control: connection, timer: timer
        ) { [weak self] in self?.ended($0) }
        sets[peer.node] = set
        halfOpen.remove(connection)
        sendWelcome(connection, version)
    }

    private func add(_ connection: LaneConnection, _ hello: Hello, _ version: UInt8) {
        guard let set = sets[hello.node], set.awaits(hello, version: version) else {
            return refuse(
                connection, RemoteFailure.Code.unexpectedFrame,
                "\(hello.node) opens its \(hello.lane) lane without a control lane that it belongs to")
        }
        halfOpen.remove(connection)
        set.add(connection, as: hello.lane)
        sendWelcome(connection, version)
        guard let lanes = set.complete() else { return }
        sets[hello.node] = nil
        // A host that listens everywhere is reached where it comes from.
        let isWildcard = ["", "0.0.0.0", "::"].contains(hello.host)
        let host = isWildcard ? lanes[0].remoteAddress?.host ?? "" : hello.host
        // It throws only when this process shuts down, and the lanes are closed then.
        _ = try? establish(
            identity: set.identity, host: host, listenPort: hello.listenPort, version: version, lanes: lanes,
            origin: LinkOrigin(link: hello.link, address: nil))
    }

    /// The set stays incomplete: its other lanes go too.
    private func ended(_ set: LaneSet) {
        guard sets[set.identity.node] === set else { return }
        sets[set.identity.node] = nil
        set.close(TransportError(.notAdmitted, "\(set.identity.node) did not open all lanes"))
    }

    func sendWelcome(_ connection: LaneConnection, _ version: UInt8, received: UInt64 = 0) {
        let welcome = Welcome(
            version: version, node: identity.node, incarnation: identity.incarnation, role: identity.role.rawValue,
            received: received)
        send(.welcome, welcome, on: connection)
    }

    /// The last word on a connection, which counts as half-open until it is closed.
    func refuse(_ connection: LaneConnection, _ code: String, _ message: String) {
        conclude(connection, .refuse, RemoteFailure(code: code, message: message))
    }

    func conclude(_ connection: LaneConnection, _ kind: FrameKind, _ message: any WireValue) {
        halfOpen.greetingCame(on: connection)
        send(kind, message, on: connection)
        connection.closeGently(TransportError(.notAdmitted, "the connection has come to its end")) {
            [weak self, weak connection] in
            if let connection { self?.halfOpen.remove(connection) }
        }
    }

    private func send(_ kind: FrameKind, _ message: any WireValue, on connection: LaneConnection) {
        do {
            let frame = try OutboundFrame(
                kind, message, incarnation: identity.incarnation, version: WireVersion.oldest,
                isChecksummed: connection.needsChecksums)
            connection.outbound.placeUrgently(frame)
        } catch {
            logger.error("cannot send \(kind): \(error)")
            connection.end(LaneEnd(kind: .connection, reason: error.message))
        }
    }
}
