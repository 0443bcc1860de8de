import Vocabulary
import Wire

/// One try to make a lost lane of a peer again.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class LaneReopening: @unchecked Sendable {
    private let manager: PeerManager
    private let peer: Peer
    private let lane: Lane
    private let address: SocketAddress
    private var dialing: Dialing?
    private var opener: Opener?
    private var failure: TransportError?

    /// The other end wants no lane of this link: trying again is of no use.
    struct Rejected: Error {
        let reason: String
    }

    init(manager: PeerManager, peer: Peer, lane: Lane, address: SocketAddress) {
        self.manager = manager
        self.peer = peer
        self.lane = lane
        self.address = address
    }

    /// The welcomed connection, which is not read yet. It is closed when this throws.
    func run(timeout: Instant.Span) async throws -> (LaneConnection, Welcome) {
        let timer = manager.loop.schedule(after: timeout) { [weak self] in
            self?.abort(TransportError(.timedOut, "no welcome within \(timeout.seconds) s"))
        }
        defer { timer.cancel() }
        do {
            return try await greet()
        } catch {
            abort(TransportError(.notAdmitted, String(describing: error)))
            throw failure ?? error
        }
    }

    private func greet() async throws -> (LaneConnection, Welcome) {
        let dialing = Dialing(address: address, loop: manager.loop)
        self.dialing = dialing
        let socket = try await dialing.connect()
        self.dialing = nil
        if let failure { throw failure }
        let connection = try manager.connection(socket, accepts: false)
        let opener = Opener(connection: connection) { [weak connection] end in
            connection?.close(TransportError(.peerLost, end.reason))
        }
        self.opener = opener
        var hello = manager.hello(lane, link: peer.origin.link)
        hello.generation = peer.nextGeneration(of: lane)
        hello.received = lane == .control ? peer.kept.receivedCount : 0
        do {
            let welcome = try await opener.greet(hello)
            try ConnectAttempt.requireCertificate(of: welcome, on: connection, address: address)
            guard welcome.node == peer.identity.node, welcome.incarnation == peer.identity.incarnation,
                welcome.version == peer.version
            else { throw Rejected(reason: "\(welcome.node) there is another process by now") }
            self.opener = nil
            return (connection, welcome)
        } catch let refusal as Opener.Refusal {
            switch refusal.failure.code {
            // It has its hands full, or an attempt that was thought lost came through.
            case RemoteFailure.Code.overloaded, RemoteFailure.Code.duplicate:
                throw TransportError(.notAdmitted, "\(refusal.failure)")
            default: throw Rejected(reason: "\(refusal.failure)")
            }
        }
    }

    private func abort(_ error: TransportError) {
        if failure == nil, error.kind == .timedOut { failure = error }
        dialing?.cancel(error)
        dialing = nil
        opener?.close(error)
        opener = nil
    }
}
