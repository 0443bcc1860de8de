import Logging
import Vocabulary
import Wire

/// Connections that others open.
extension PeerManager {
    func accepted(_ socket: Socket) {
        guard !isShutDown, greeters.count + refusedCount + sets.count < options.halfOpenCountMax else { return }
        let connection = LaneConnection(socket: socket, loop: loop, pool: pool, options: options)
        let greeter = Greeter(
            connection: connection, onHello: { [weak self] in self?.greeted($0, $1) },
            onEnded: { [weak self] in self?.ended($0, $1) })
        greeters[ObjectIdentifier(greeter)] = greeter
        do {
            try greeter.open(loop: loop, timeout: options.handshakeTimeout)
        } catch {
            logger.warning("cannot serve a connection: \(error)")
            greeters[ObjectIdentifier(greeter)] = nil
            greeter.close(error)
        }
    }

    private func ended(_ greeter: Greeter, _ end: LaneEnd) {
        greeters[ObjectIdentifier(greeter)] = nil
        let from = greeter.connection.remoteAddress.map(String.init(describing:)) ?? "an unknown address"
        logger.debug("no handshake with \(from): \(end.reason)")
        if end.kind == .version {
            refuse(greeter.connection, RemoteFailure.Code.unsupportedVersion, end.reason)
        }
    }

    private func greeted(_ greeter: Greeter, _ hello: Hello) {
        greeters[ObjectIdentifier(greeter)] = nil
        let connection = greeter.connection
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
        if hello.lane == .control {
            let peer = PeerIdentity(node: hello.node, incarnation: hello.incarnation, role: role)
            guard makeWay(for: peer, connection) else { return }
            welcome(connection, hello, peer, version)
        } else {
            add(connection, hello, version)
        }
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
        sendWelcome(connection, version)
    }

    private func add(_ connection: LaneConnection, _ hello: Hello, _ version: UInt8) {
        guard let set = sets[hello.node], set.awaits(hello, version: version) else {
            return refuse(
                connection, RemoteFailure.Code.unexpectedFrame,
                "\(hello.node) opens its \(hello.lane) lane without a control lane that it belongs to")
        }
        set.add(connection, as: hello.lane)
        sendWelcome(connection, version)
        guard let lanes = set.complete() else { return }
        sets[hello.node] = nil
        // A host that listens everywhere is reached where it comes from.
        let isWildcard = ["", "0.0.0.0", "::"].contains(hello.host)
        let host = isWildcard ? lanes[0].remoteAddress?.host ?? "" : hello.host
        // It throws only when this process shuts down, and the lanes are closed then.
        _ = try? establish(
            identity: set.identity, host: host, listenPort: hello.listenPort, version: version, lanes: lanes)
    }

    /// The set stays incomplete: its other lanes go too.
    private func ended(_ set: LaneSet) {
        guard sets[set.identity.node] === set else { return }
        sets[set.identity.node] = nil
        set.close(TransportError(.notAdmitted, "\(set.identity.node) did not open all lanes"))
    }

    private func sendWelcome(_ connection: LaneConnection, _ version: UInt8) {
        let welcome = Welcome(
            version: version, node: identity.node, incarnation: identity.incarnation, role: identity.role.rawValue)
        send(.welcome, welcome, on: connection)
    }

    private func refuse(_ connection: LaneConnection, _ code: String, _ message: String) {
        send(.refuse, RemoteFailure(code: code, message: message), on: connection)
        refusedCount += 1
        connection.closeGently(TransportError(.notAdmitted, message)) { [weak self] in self?.refusedCount -= 1 }
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
