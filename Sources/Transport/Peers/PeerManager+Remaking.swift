import Logging
import Vocabulary
import Wire

/// Control and bulk lanes that are lost alone, and made again under the same link.
extension PeerManager {
    private static let retrySpan = Instant.Span.milliseconds(20)
    private static let retrySpanMax = Instant.Span.seconds(1)

    /// A control or bulk lane ended. What depended on it fails now; the end that opened the lanes makes it again, the
    /// other waits for that.
    func remake(_ lane: Lane, of peer: Peer, reason: String) {
        guard !peer.isLost, !peer.isAway(lane) else { return }
        let node = peer.identity.node
        let error = TransportError(.peerLost, "the connection to \(node) is lost: \(lane) lane: \(reason)", peer: node)
        logger.notice("\(peer.identity): the \(lane) lane is lost and made again: \(reason)")
        let timeout = options.laneRemakeTimeout
        peer.leave(lane, error)
        peer.inbox?.cancelCalls(on: lane)
        loop.schedule(after: timeout) { [weak self, weak peer, lossCount = peer.lossCount(of: lane)] in
            guard let self, let peer, peer.isAway(lane), peer.lossCount(of: lane) == lossCount else { return }
            giveUp(lane, of: peer, "\(reason); it was not made again within \(timeout.seconds) s")
        }
        guard let address = peer.origin.address else { return }
        Task(executorPreference: loop) { await self.reopen(lane, of: peer, at: address) }
    }

    private func giveUp(_ lane: Lane, of peer: Peer, _ reason: String) {
        let reason = "\(lane) lane: \(reason)"
        lose(peer, reason: reason, goodbye: RemoteFailure(code: RemoteFailure.Code.silent, message: reason))
    }

    /// Tries again and again, less and less often.
    private func reopen(_ lane: Lane, of peer: Peer, at address: SocketAddress) async {
        var span = Self.retrySpan
        while peer.isAway(lane), !peer.isLost, !isShutDown {
            // Many peers of a process that stood still must not come back all at once.
            await loop.sleep(Instant.Span(nanoseconds: UInt64.random(in: (span.nanoseconds / 2)...span.nanoseconds)))
            span = Instant.Span(nanoseconds: min(2 * span.nanoseconds, Self.retrySpanMax.nanoseconds))
            guard peer.isAway(lane), !peer.isLost, !isShutDown else { return }
            let attempt = LaneReopening(manager: self, peer: peer, lane: lane, address: address)
            do {
                let (connection, welcome) = try await attempt.run(timeout: options.laneRemakeTimeout)
                guard peer.isAway(lane), !peer.isLost, !isShutDown else {
                    return connection.close(TransportError(.peerLost, "the peer is lost"))
                }
                guard !connection.isClosed else { continue }
                guard peer.enter(connection, as: lane, received: welcome.received) else {
                    connection.close(TransportError(.protocolViolation, "a count that cannot be"))
                    return giveUp(lane, of: peer, "the other end has received what was never sent")
                }
                logger.notice("\(peer.identity): the \(lane) lane is there again")
                return
            } catch let rejection as LaneReopening.Rejected {
                if peer.isAway(lane) { giveUp(lane, of: peer, "it is not admitted again: \(rejection.reason)") }
                return
            } catch {
                logger.debug("\(peer.identity): the \(lane) lane does not come up: \(error)")
            }
        }
    }

    /// The other end makes a lane again. Refused unless it is the very process that opened it, and later than what is
    /// there.
    func readmit(_ connection: LaneConnection, _ hello: Hello, _ version: UInt8) {
        guard let peer = peer(hello.node), peer.identity.incarnation == hello.incarnation,
            peer.identity.role.rawValue == hello.role, peer.origin.address == nil, peer.origin.link == hello.link,
            peer.version == version, hello.lane != .activations
        else {
            return refuse(
                connection, RemoteFailure.Code.unexpectedFrame,
                "there is no set of lanes here that this \(hello.lane) lane of \(hello.node) belongs to")
        }
        guard hello.generation > peer.generation(of: hello.lane) else {
            return refuse(
                connection, RemoteFailure.Code.duplicate,
                "generation \(hello.generation) of the \(hello.lane) lane comes after "
                    + "\(peer.generation(of: hello.lane))")
        }
        guard hello.lane != .control || peer.kept.canResume(received: hello.received) else {
            return refuse(
                connection, RemoteFailure.Code.malformed,
                "\(hello.node) has received \(hello.received) messages, which cannot be")
        }
        // The other end knows of the loss before this one does.
        remake(hello.lane, of: peer, reason: "the other end opens it anew")
        halfOpen.remove(connection)
        peer.note(generation: hello.generation, of: hello.lane)
        sendWelcome(connection, version, received: hello.lane == .control ? peer.kept.receivedCount : 0)
        connection.lane = hello.lane
        // What follows the hello waits until the lane is the peer's.
        connection.pauseReading()
        _ = peer.enter(connection, as: hello.lane, received: hello.received)
        logger.notice("\(peer.identity): the \(hello.lane) lane is there again")
    }
}
