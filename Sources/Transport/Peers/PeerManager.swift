import Logging
import Memory
import Synchronization
import Vocabulary
import Wire

/// The connections of one process: who is connected, who is about to be, and what becomes of them.
///
/// `@unchecked Sendable`: all that varies is used on the loop's thread alone, except `established`, which has a lock.
final class PeerManager: @unchecked Sendable {
    let identity: PeerIdentity
    let loop: EventLoop
    let options: TransportOptions
    let pool: BufferPool
    let logger: Logger
    let lookup: NameLookup
    let turnstile: HandshakeTurnstile
    private let onEvent: @Sendable (PeerEvent) -> Void
    /// Hands calls and one-way messages to actors.
    private let dispatcher: Dispatcher
    private let established = Mutex<[NodeID: Peer]>([:])

    private var listeners: [Listener] = []
    private var listenAddress: SocketAddress?
    /// Accepted connections whose hello is awaited, and refused ones that close.
    var halfOpen: HalfOpenConnections
    /// Lanes that others are opening.
    var sets: [NodeID: LaneSet] = [:]
    var attempts: [ConnectAttempt] = []
    /// Said goodbye; what they sent before is still being done.
    private var leaving: [NodeID: (peer: Peer, reason: String)] = [:]
    private(set) var isShutDown = false
    private var heartbeat: LoopTimer?

    init(
        identity: PeerIdentity, loop: EventLoop, options: TransportOptions, pool: BufferPool, logger: Logger,
        dispatcher: Dispatcher, onEvent: @escaping @Sendable (PeerEvent) -> Void
    ) {
        self.identity = identity
        self.loop = loop
        self.options = options
        self.pool = pool
        self.logger = logger
        lookup = NameLookup(loop: loop, options: options)
        turnstile = HandshakeTurnstile(loop: loop)
        self.dispatcher = dispatcher
        self.onEvent = onEvent
        halfOpen = HalfOpenConnections(
            countMax: options.halfOpenCountMax, countMaxPerOrigin: options.halfOpenCountMaxPerAddress)
        options.security?.add(self)
    }

    // MARK: Who is there

    /// From any thread.
    func peer(_ node: NodeID) -> Peer? { established.withLock { $0[node] } }

    /// From any thread.
    var all: [Peer] {
        established.withLock { $0.values.sorted { $0.identity.node < $1.identity.node } }
    }

    func peer(ofIncarnation incarnation: Incarnation) -> Peer? {
        all.first { $0.identity.incarnation == incarnation }
    }

    func hello(_ lane: Lane, link: UInt64) -> Hello {
        Hello(
            programVersion: options.programVersion, node: identity.node, incarnation: identity.incarnation,
            role: identity.role.rawValue, lane: lane, listenPort: listenAddress?.port ?? 0,
            host: listenAddress.map { options.advertisedHost ?? $0.host } ?? "", link: link)
    }

    // MARK: Listening

    /// From any thread. Returns the port.
    func listen(host: String, port: Int) throws(TransportError) -> Int {
        try requireOwnCertificate(isCurrent: false)
        let addresses = try SocketAddress.resolve(host: host, port: port, isPassive: true)
        for address in addresses { try Socket.requireAllowed(address, options) }
        var failure: TransportError?
        for address in addresses {
            do throws(TransportError) {
                let socket = try Socket.listen(at: address)
                guard let bound = socket.localAddress else { throw .ofSystem("getsockname") }
                open(socket, bound)
                return bound.port
            } catch {
                failure = failure ?? error
            }
        }
        throw failure ?? TransportError(.invalidAddress, "\(host) has no address to listen at")
    }

    private func open(_ socket: Socket, _ address: SocketAddress) {
        let listener = Listener(socket: socket, loop: loop, logger: logger) { [weak self] in self?.accepted($0) }
        loop.execute { [self] in
            guard !isShutDown else { return }
            do {
                try listener.open()
                listeners.append(listener)
                listenAddress = listenAddress ?? address
                startHeartbeat()
            } catch {
                logger.error("cannot listen at \(address): \(error)")
            }
        }
    }

    // MARK: Coming

    /// All lanes are up. On the loop; closes the lanes when it throws.
    func establish(
        identity peerIdentity: PeerIdentity, host: String, listenPort: Int, version: UInt8, lanes: [LaneConnection],
        origin: LinkOrigin
    ) throws(TransportError) -> Peer {
        guard !isShutDown else {
            for lane in lanes { lane.close(Self.shutDownError) }
            throw Self.shutDownError
        }
        // Since the handshake its certificate may have been revoked.
        for lane in lanes {
            guard let reason = revocation(of: lane) else { continue }
            let error = TransportError(.untrusted, reason, peer: peerIdentity.node)
            for lane in lanes { lane.close(error) }
            throw error
        }
        let node = peerIdentity.node
        // The order of events is kept: an earlier connection's end comes first.
        finishLeaving(node)
        if let old = peer(node) { lose(old, reason: "it has connected anew") }
        let peer = Peer(
            identity: peerIdentity, host: host, listenPort: listenPort, version: version, lanes: lanes, origin: origin,
            own: identity, loop: loop, pool: pool, options: options, handler: self)
        peer.inbox = Inbox(peer: peer, dispatcher: dispatcher, loop: loop, options: options)
        for lane in lanes { lane.delegate = peer }
        established.withLock { $0[node] = peer }
        logger.debug("connected to \(peerIdentity)")
        startHeartbeat()
        onEvent(.connected(peerIdentity, host: host, listenPort: listenPort))
        for lane in lanes { lane.resumeReading() }
        return peer
    }

    static let shutDownError = TransportError(.shutDown, "this process is shutting down")

    // MARK: Going

    /// The end of a connection; once. On the loop.
    ///
    /// - Parameters:
    ///   - goodbye: told to the peer.
    ///   - finishesMessages: what it has sent before is still done, within a second, before it counts as lost.
    func lose(
        _ peer: Peer, reason: String, goodbye: RemoteFailure? = nil, finishesMessages: Bool = false,
        whenClosed: (@Sendable () -> Void)? = nil
    ) {
        guard !peer.isLost else { whenClosed?(); return }
        peer.isLost = true
        let node = peer.identity.node
        established.withLock { if $0[node] === peer { $0[node] = nil } }
        let error = TransportError(.peerLost, "the connection to \(node) is lost: \(reason)", peer: node)
        peer.calls.close(error)
        peer.bulk.fail(BulkFailure(.lost, error.message), isFinal: true)
        leaving[node] = (peer, reason)
        if finishesMessages {
            loop.schedule(after: Self.leavingTime) { [weak self] in self?.finishLeaving(peer) }
            finishMessages(of: peer)
        } else {
            closeLanes(of: peer, error, goodbye, whenClosed: whenClosed)
            finishLeaving(peer)
        }
    }

    /// What the peer said on its other lanes before its goodbye may come after it, but comes before their ends.
    private func finishMessages(of peer: Peer) {
        for lane in peer.lanes where lane.lane != .control && !lane.isClosed { lane.read() }
        guard peer.lanes.allSatisfy({ $0.lane == .control || $0.isClosed }), let inbox = peer.inbox else { return }
        inbox.finishMessages { [weak self] in self?.finishLeaving(peer) }
    }

    private static let leavingTime = Instant.Span.seconds(1)

    private func closeLanes(
        of peer: Peer, _ error: TransportError, _ goodbye: RemoteFailure?, whenClosed: (@Sendable () -> Void)?
    ) {
        guard let goodbye else {
            for lane in peer.lanes { lane.close(error) }
            whenClosed?()
            return
        }
        if let frame = try? peer.frame(.goodbye, goodbye, on: peer[.control]) {
            peer[.control].outbound.placeUrgently(frame)
        }
        let countdown = Countdown(peer.lanes.count) { whenClosed?() }
        for lane in peer.lanes { lane.closeGently(error) { countdown.step() } }
    }

    private func laneEnded(of peer: Peer) {
        if leaving[peer.identity.node]?.peer === peer { finishMessages(of: peer) }
    }

    private func finishLeaving(_ peer: Peer) {
        if leaving[peer.identity.node]?.peer === peer { finishLeaving(peer.identity.node) }
    }

    private func finishLeaving(_ node: NodeID) {
        guard let (peer, reason) = leaving.removeValue(forKey: node) else { return }
        if peer.isLeaving {
            let error = TransportError(.peerLost, "the connection to \(node) is lost: \(reason)", peer: node)
            for lane in peer.lanes { lane.close(error) }
        }
        peer.inbox?.close()
        peer.inbox = nil
        logger.debug("lost \(peer.identity): \(reason)")
        onEvent(.lost(peer.identity, reason: reason))
    }

    func disconnect(_ node: NodeID, reason: String) {
        guard let peer = peer(node) else { return }
        lose(peer, reason: reason, goodbye: RemoteFailure(code: "disconnected", message: reason))
    }

    func shutDown(whenDone: @escaping @Sendable () -> Void) {
        guard !isShutDown else { return whenDone() }
        isShutDown = true
        heartbeat?.cancel()
        for listener in listeners { listener.close() }
        listeners = []
        for attempt in attempts { attempt.abort(Self.shutDownError) }
        for greeter in halfOpen.takeGreeters() { greeter.close(Self.shutDownError) }
        for set in sets.values { set.close(Self.shutDownError) }
        sets = [:]
        for node in leaving.keys.sorted() { finishLeaving(node) }
        let peers = all
        let countdown = Countdown(peers.count + 1, whenDone)
        let goodbye = RemoteFailure(
            code: RemoteFailure.Code.shuttingDown, message: "\(identity.node) is shutting down")
        for peer in peers {
            lose(peer, reason: "this process is shutting down", goodbye: goodbye) { countdown.step() }
        }
        countdown.step()
    }

    // MARK: Heartbeat

    private func startHeartbeat() {
        guard heartbeat == nil, !isShutDown else { return }
        beat(after: options.pingInterval.half)
    }

    private func beat(after span: Instant.Span) {
        let due = EventLoop.now + span
        heartbeat = loop.schedule(at: due) { [weak self] in self?.beat(due: due) }
    }

    /// Sockets were looked at before this, so that what came while the process was stopped has been heard.
    private func beat(due: Instant) {
        guard !isShutDown else { return }
        let now = EventLoop.now
        let wasPaused = now - due > options.pingInterval
        if wasPaused {
            logger.notice("this process stood still for \((now - due).seconds) s")
        }
        for peer in all {
            if wasPaused { peer.forgiveSilence(at: now) }
            let (lane, span) = peer.silence(at: now)
            if span > options.silenceMax {
                let reason = "nothing came on its \(lane) lane for \((span.seconds * 10).rounded() / 10) s"
                guard lane != .bulk else {
                    peer[.bulk].end(LaneEnd(kind: .connection, reason: reason))
                    continue
                }
                lose(peer, reason: reason, goodbye: RemoteFailure(code: RemoteFailure.Code.silent, message: reason))
            } else {
                peer.acknowledgeKept()
                peer.ping(ifSilentFor: wasPaused ? Instant.Span(nanoseconds: 0) : options.pingInterval.half, at: now)
            }
        }
        beat(after: options.pingInterval.half)
    }
}

// MARK: - What peers do

extension PeerManager: PeerHandler {
    func peer(_ peer: Peer, asks frame: FrameReader.Frame, on lane: LaneConnection) throws {
        try peer.inbox?.take(frame, on: lane)
    }

    func peer(_ peer: Peer, says goodbye: RemoteFailure) {
        guard !peer.isLost else { return }
        peer.isLeaving = true
        lose(peer, reason: "it said goodbye: \(goodbye)", finishesMessages: true)
    }

    func peer(_ peer: Peer, lost lane: LaneConnection, _ end: LaneEnd) {
        guard !peer.isLeaving else {
            // In a turn of its own: the lane counts as closed only after this.
            return loop.execute { [weak self] in self?.laneEnded(of: peer) }
        }
        switch end.kind {
        case .connection:
            // A goodbye, if there is one, tells more than the end of the lane that was noticed first.
            if lane.lane != .control, !peer[.control].isClosed { peer[.control].read() }
            // A process that ends loses all its lanes at once.
            if lane.lane != .activations, !peer[.activations].isClosed { peer[.activations].read() }
            guard !peer.isLeaving, !peer.isLost else { return }
            if lane.lane == .activations {
                lose(peer, reason: "\(lane.lane) lane: \(end.reason)")
            } else {
                remake(lane.lane, of: peer, reason: end.reason)
            }
        case .version, .violation, .encryption, .forbidden:
            logger.warning("\(peer.identity) broke the protocol on the \(lane.lane) lane: \(end.reason)")
            let goodbye = RemoteFailure(code: RemoteFailure.Code.malformed, message: end.reason)
            lose(peer, reason: "it broke the protocol on the \(lane.lane) lane: \(end.reason)", goodbye: goodbye)
        }
    }
}

extension Instant.Span {
    fileprivate var half: Instant.Span { Instant.Span(nanoseconds: max(1, nanoseconds / 2)) }
}

/// Does something at the last of a number of steps.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
private final class Countdown: @unchecked Sendable {
    private var rest: Int
    private let whenDone: @Sendable () -> Void

    init(_ count: Int, _ whenDone: @escaping @Sendable () -> Void) {
        rest = count
        self.whenDone = whenDone
    }

    func step() {
        rest -= 1
        if rest == 0 { whenDone() }
    }
}
