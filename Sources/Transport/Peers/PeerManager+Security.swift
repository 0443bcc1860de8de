import Identity
import Logging
import Vocabulary
import Wire

/// Certificates: the own one, and what becomes of peers when others are revoked.
extension PeerManager: TransportSecurity.Observer {
    /// An accepted or an opened connection, encrypted if this process has certificates.
    func connection(_ socket: Socket, accepts: Bool) throws(TransportError) -> LaneConnection {
        let stream = try options.security?.makeStream(socket, accepts: accepts)
        let connection = LaneConnection(socket: socket, stream: stream, loop: loop, pool: pool, options: options)
        if accepts, stream != nil { connection.turnstile = turnstile }
        return connection
    }

    /// Others would refuse us; here it can be said what is wrong.
    func requireOwnCertificate(isCurrent: Bool) throws(TransportError) {
        guard let certified = options.security?.credentials.identity else { return }
        guard certified.name == identity.node, certified.role.rawValue == identity.role.rawValue else {
            throw TransportError(
                .untrusted,
                "this process is \(identity.role.rawValue) '\(identity.node)', but its certificate is that of "
                    + "\(certified)"
            )
        }
        let now = UTCTime.now
        guard isCurrent, !certified.isValid(at: now) else { return }
        guard now > certified.notAfter else {
            throw TransportError(
                .untrusted,
                "the certificate of \(certified) does not hold until \(UTCTime.text(certified.notBefore)): is this "
                    + "host's clock right?")
        }
        throw TransportError(.untrusted, CertificateJudge.expiry(of: certified))
    }

    /// Why the certificate that was shown on a lane is worth nothing any more; nil when it is not revoked.
    func revocation(of lane: LaneConnection) -> String? {
        guard let certified = lane.authentication.identity,
            let revoked = options.security?.credentials.revokedSerials, revoked.contains(certified.serial)
        else { return nil }
        return CertificateJudge.revocation(of: certified)
    }

    /// From any thread.
    func credentialsWereReplaced() {
        loop.execute { [weak self] in self?.dropRevoked() }
    }

    private func dropRevoked() {
        guard !isShutDown else { return }
        for peer in all {
            guard let reason = peer.lanes.lazy.compactMap({ self.revocation(of: $0) }).first else { continue }
            logger.notice("\(peer.identity) is dropped: \(reason)")
            lose(peer, reason: reason, goodbye: RemoteFailure(code: RemoteFailure.Code.forbidden, message: reason))
        }
        for (node, set) in sets.sorted(by: { $0.key < $1.key }) {
            guard let reason = set.lanes.values.lazy.compactMap({ self.revocation(of: $0) }).first else { continue }
            sets[node] = nil
            set.close(TransportError(.untrusted, reason, peer: node))
        }
    }
}

// MARK: - Enrolment

extension PeerManager {
    /// Somebody without a certificate wants one.
    func asked(_ connection: LaneConnection, _ enrol: Enrol) {
        halfOpen.greetingCame(on: connection)
        guard let handler = options.security?.enrolment else {
            return refuse(
                connection, RemoteFailure.Code.forbidden,
                "\(identity.node) gives out no certificates: ask the coordinator, or have whoever made its certificate "
                    + "make one")
        }
        let from = connection.remoteAddress?.host ?? "an unknown address"
        // Further bytes stay in the socket; that the other end goes is still noticed.
        connection.pauseReading()
        loop.schedule(after: options.callDeadline) { [weak self, weak connection] in
            guard let self, let connection else { return }
            // Does nothing when it was answered.
            refuse(connection, RemoteFailure.Code.overloaded, "the enrolment was not decided in time")
        }
        // Not on the loop: it may compute and write files.
        Task {
            do throws(RemoteFailure) {
                let enrolled = try await handler.enrol(enrol, from: from)
                loop.execute { [weak self] in self?.conclude(connection, .enrolled, enrolled) }
            } catch {
                loop.execute { [weak self] in self?.conclude(connection, .refuse, error) }
            }
        }
    }
}
