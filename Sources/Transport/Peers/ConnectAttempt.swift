import Identity
import Vocabulary
import Wire

/// One try to open the lanes to a process: the control lane first, then the two others at once.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class ConnectAttempt: @unchecked Sendable {
    /// The other end, or the rule for both connecting at once, prefers other lanes than these.
    struct Duplicate: Error {
        /// Whose lanes to wait for, as far as that is known.
        let node: NodeID?
        let incarnation: Incarnation?
    }

    /// The process it is for; known from the beginning, or from the first welcome on.
    private(set) var target: NodeID?
    private(set) var isWelcomed = false
    private let manager: PeerManager
    private let address: SocketAddress
    private let link = UInt64.random(in: 1...UInt64.max)
    private var dialings: [Dialing] = []
    private var openers: [Opener] = []
    private var failure: (any Error)?

    init(manager: PeerManager, address: SocketAddress, expecting: NodeID?) {
        self.manager = manager
        self.address = address
        target = expecting
    }

    /// The connected peer. All lanes are closed when it throws.
    func run() async throws -> Peer {
        do {
            return try await open()
        } catch {
            // An abort closes lanes first; what that looked like from inside matters less than why.
            let reason = failure ?? error
            closeAll(TransportError(.notAdmitted, String(describing: reason)))
            throw reason
        }
    }

    private func open() async throws -> Peer {
        let (control, welcome) = try await open(.control)
        if let target, welcome.node != target {
            control.outbound.placeUrgently(try goodbye(welcome, "\(target) was meant to be here", on: control))
            openers = []
            control.closeGently(TransportError(.wrongPeer, "not the peer that was meant"))
            throw TransportError(
                .wrongPeer, "\(address) is \(welcome.node), not \(target): check its address", peer: welcome.node)
        }
        // From here on other lanes of the same pair give way to these, or these to them.
        try manager.attempt(self, isWelcomedBy: welcome)
        target = welcome.node
        isWelcomed = true
        async let activations = open(.activations)
        async let bulk = open(.bulk)
        let others = [try await activations, try await bulk]
        for other in others where other.welcome != welcome {
            throw TransportError(
                .protocolViolation, "\(address) is \(welcome.node) on one lane and \(other.welcome.node) on another",
                peer: welcome.node)
        }
        if let failure { throw failure }
        openers = []
        return try manager.establish(
            identity: manager.identity(of: welcome), host: address.host, listenPort: address.port,
            version: welcome.version, lanes: [control] + others.map(\.connection),
            origin: LinkOrigin(link: link, address: address))
    }

    private func open(_ lane: Lane) async throws -> (connection: LaneConnection, welcome: Welcome) {
        do {
            return try await greet(lane)
        } catch {
            // The lane that is opened beside this one must not be waited for.
            abort(error)
            throw error
        }
    }

    private func greet(_ lane: Lane) async throws -> (connection: LaneConnection, welcome: Welcome) {
        if let failure { throw failure }
        let dialing = Dialing(address: address, loop: manager.loop)
        dialings.append(dialing)
        let socket = try await dialing.connect()
        dialings.removeAll { $0 === dialing }
        if let failure { throw failure }
        let connection = try manager.connection(socket, accepts: false)
        let opener = Opener(connection: connection) { [weak self] end in
            self?.abort(TransportError(.notAdmitted, "the connection ended in the handshake: \(end.reason)"))
        }
        openers.append(opener)
        do {
            let welcome = try await opener.greet(manager.hello(lane, link: link))
            guard (WireVersion.oldest...WireVersion.newest).contains(welcome.version) else {
                throw TransportError(
                    .notAdmitted, "\(address) chose protocol version \(welcome.version), which we do not speak")
            }
            try Self.requireCertificate(of: welcome, on: connection, address: address)
            return (connection, welcome)
        } catch let error as TransportError where error.kind == .untrusted {
            throw TransportError(.untrusted, "\(address): \(error.message)", peer: error.peer)
        } catch let refusal as Opener.Refusal {
            throw Self.error(refusal, address: address)
        }
    }

    /// A node can't answer for another.
    static func requireCertificate(
        of welcome: Welcome, on connection: LaneConnection, address: SocketAddress
    ) throws(TransportError) {
        guard let identity = connection.authentication.identity else { return }
        guard identity.name == welcome.node, identity.role.rawValue == welcome.role else {
            throw TransportError(
                .wrongPeer,
                "\(address) shows the certificate of \(identity), but says it is \(welcome.role) '\(welcome.node)'",
                peer: identity.name)
        }
    }

    private static func error(_ refusal: Opener.Refusal, address: SocketAddress) -> any Error {
        let failure = refusal.failure
        switch failure.code {
        case RemoteFailure.Code.duplicate:
            return Duplicate(
                node: nil, incarnation: refusal.incarnation.rawValue == 0 ? nil : refusal.incarnation)
        case RemoteFailure.Code.wrongPeer:
            return TransportError(.wrongPeer, "\(address) does not admit us: \(failure)")
        default:
            return TransportError(.notAdmitted, "\(address) does not admit us: \(failure)")
        }
    }

    private func goodbye(
        _ welcome: Welcome, _ message: String, on lane: LaneConnection
    ) throws(WireError) -> OutboundFrame {
        try OutboundFrame(
            .goodbye, RemoteFailure(code: RemoteFailure.Code.wrongPeer, message: message),
            incarnation: manager.identity.incarnation, version: welcome.version, isChecksummed: lane.needsChecksums)
    }

    // MARK: Ending

    /// Ends the attempt; `run` throws `error`.
    func abort(_ error: any Error) {
        guard failure == nil else { return }
        failure = error
        closeAll(TransportError(.notAdmitted, String(describing: error)))
    }

    private func closeAll(_ error: TransportError) {
        let (dialings, openers) = (dialings, openers)
        self.dialings = []
        self.openers = []
        for dialing in dialings { dialing.cancel(error) }
        for opener in openers { opener.close(error) }
    }
}
