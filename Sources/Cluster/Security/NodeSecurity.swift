public import Identity
public import Logging
import Memory
import Synchronization
public import Transport
public import Vocabulary
import Wire

/// Who is who, on a node's side: its certificate, where it comes from and how it is kept current.
public final class NodeSecurity: Sendable {
    private enum Source: Sendable {
        case folder(NodeFolder, FileLock)
        case files(CredentialFiles)
    }

    public let transport: TransportSecurity
    private let source: Source
    private let logger: Logger
    /// Held while credentials are read, changed and replaced: the loop and the renewal must not undo each other.
    private let changing = Mutex(())

    public var name: NodeID { transport.credentials.identity.name }

    private init(_ source: Source, _ credentials: Credentials, logger: Logger) {
        self.source = source
        self.logger = logger
        transport = TransportSecurity(credentials: credentials)
        logger.info("this node shows \(credentials)")
    }

    // MARK: Where certificates come from

    /// Another authority's files.
    ///
    /// - Parameter name: must be the certificate's; nil takes what the certificate says.
    public static func files(
        _ files: CredentialFiles, name: NodeID?, logger: Logger
    ) throws(IdentityError) -> NodeSecurity {
        let credentials = try files.load()
        try requireNode(credentials, name: name, place: files.certificate)
        return NodeSecurity(.files(files), credentials, logger: logger)
    }

    /// What a node needs to enrol.
    public struct Enrolment: Sendable {
        public var coordinatorHost: String
        public var coordinatorPort: Int
        public var token: JoinToken

        public init(coordinatorHost: String, coordinatorPort: Int, token: JoinToken) {
            self.coordinatorHost = coordinatorHost
            self.coordinatorPort = coordinatorPort
            self.token = token
        }
    }

    /// The certificate in a data directory; the node enrols with the token when there is none, or when it has ended.
    ///
    /// - Parameters:
    ///   - name: of the node; nil takes what the certificate says.
    ///   - fallbackName: for enrolling without a name.
    public static func open(
        folder: NodeFolder, name: NodeID?, fallbackName: NodeID, enrolment: Enrolment?, logger: Logger
    ) async throws -> NodeSecurity {
        let lock = try folder.lock()
        if let stored = try folder.load() {
            try requireNode(stored, name: name, place: folder.folder.path)
            if let token = enrolment?.token, try !trusts(stored, token.authority) {
                throw IdentityError(
                    .untrusted,
                    "\(folder.folder.path) holds the certificate of another cluster than the join token's: move the "
                        + "folder away, or give another --data-directory")
            }
            let isRevoked = stored.revokedSerials.contains(stored.identity.serial)
            if stored.identity.isValid(at: UnixTime.now), !isRevoked {
                if enrolment != nil {
                    logger.info("this node has its certificate already: the join token is not used")
                }
                return NodeSecurity(.folder(folder, lock), stored, logger: logger)
            }
            guard enrolment != nil else { throw ended(stored.identity, isRevoked: isRevoked) }
        }
        guard let enrolment else {
            throw IdentityError(
                .storage,
                "there is no certificate of this node in \(folder.folder.path): make a join token on the coordinator's "
                    + "host (`shardline token create`) and start the node once with --join-token-file FILE or "
                    + "SHARDLINE_JOIN_TOKEN")
        }
        let credentials = try await enrol(name ?? fallbackName, enrolment, logger: logger)
        try folder.store(credentials)
        return NodeSecurity(.folder(folder, lock), credentials, logger: logger)
    }

    private static func requireNode(
        _ credentials: Credentials, name: NodeID?, place: String
    ) throws(IdentityError) {
        let identity = credentials.identity
        guard identity.role == .node else {
            throw IdentityError(.noIdentity, "\(place) holds the certificate of \(identity), not of a node")
        }
        guard let name, name != identity.name else { return }
        throw IdentityError(
            .forbidden,
            "\(place) holds the certificate of node '\(identity.name)', but --name says '\(name)': leave --name out, "
                + "or give each node its own --data-directory and enrol it")
    }

    private static func trusts(
        _ credentials: Credentials, _ authority: AuthorityFingerprint
    ) throws(IdentityError) -> Bool {
        for der in try Certificates(pem: credentials.authoritiesPEM, what: "the authorities").ders
        where try AuthorityFingerprint(certificateDER: der) == authority {
            return true
        }
        return false
    }

    private static func ended(_ identity: CertifiedIdentity, isRevoked: Bool = false) -> IdentityError {
        let what = isRevoked ? "is revoked" : "ended at \(UnixTime.text(identity.notAfter))"
        return IdentityError(
            .expired,
            "the certificate of \(identity) \(what): make a join token on the "
                + "coordinator's host (`shardline token create --node \(identity.name)`) and start the node with "
                + "it once")
    }

    // MARK: Enrolling

    /// Asks until the coordinator is there; what it refuses is not asked again.
    private static func enrol(_ name: NodeID, _ enrolment: Enrolment, logger: Logger) async throws -> Credentials {
        let key = try PrivateKey.generate()
        let request = Enrol(
            tokenID: enrolment.token.id, secret: enrolment.token.secret,
            certificateRequest: try key.request(commonName: name.name), role: CertifiedRole.node.rawValue, node: name)
        let (host, port) = (enrolment.coordinatorHost, enrolment.coordinatorPort)
        let loop = try EventLoop()
        var delay: UInt64 = 250
        while true {
            do {
                let enrolled = try await ClusterActorSystem.enrol(
                    host: host, port: port, authority: enrolment.token.authority, request: request,
                    options: TransportOptions(), loop: loop)
                let credentials = try credentials(enrolled, key: key, authority: enrolment.token.authority)
                guard credentials.identity.name == name, credentials.identity.role == .node else {
                    throw IdentityError(.noIdentity, "the coordinator gave the certificate of \(credentials.identity)")
                }
                logger.notice("enrolled at \(host):\(port) as \(credentials.identity)")
                return credentials
            } catch let error as TransportError where [.refused, .unreachable, .timedOut].contains(error.kind) {
                logger.warning("cannot enrol at \(host):\(port) yet: \(error); trying again in \(delay) ms")
                try await Task.sleep(for: .milliseconds(delay))
                delay = min(delay * 2, 5000)
            }
        }
    }

    /// - Parameter authority: that the chain's last certificate must be, if it is known.
    private static func credentials(
        _ enrolled: Enrolled, key: PrivateKey, authority: AuthorityFingerprint? = nil
    ) throws(IdentityError) -> Credentials {
        guard let last = enrolled.certificates.last, enrolled.certificates.count > 1 else {
            throw IdentityError(.malformed, "the coordinator gave no certificate with its authority's")
        }
        if let authority, try AuthorityFingerprint(certificateDER: last) != authority {
            throw IdentityError(.untrusted, "the coordinator's authority is not the join token's")
        }
        return try Credentials(
            certificateChainPEM: try Certificates(ders: enrolled.certificates).pem(), privateKeyPEM: key.pem,
            authoritiesPEM: try Certificates(ders: [last]).pem(), revokedSerials: Set(enrolled.revokedSerials))
    }

    // MARK: Keeping current

    /// Renews the certificate in time, or reads replaced files again, until the task is cancelled.
    ///
    /// - Parameter renew: asks the coordinator.
    func keepCurrent(renew: @escaping @Sendable (RenewCertificate) async throws -> Enrolled) async {
        switch source {
        case .folder(let folder, _): await keepRenewed(folder, renew)
        case .files(let files): await keepLoaded(files)
        }
    }

    private func keepRenewed(
        _ folder: NodeFolder, _ renew: @Sendable (RenewCertificate) async throws -> Enrolled
    ) async {
        while !Task.isCancelled {
            let identity = transport.credentials.identity
            let due = RenewalSchedule.renewal(of: identity, jitter: .random(in: 0...1))
            guard await Self.sleep(until: due) else { return }
            while !Task.isCancelled {
                do {
                    try await self.renew(folder, renew)
                    break
                } catch is CancellationError {
                    return
                } catch {
                    let retry = RenewalSchedule.retrySeconds(of: identity)
                    guard UnixTime.now <= identity.notAfter else {
                        logger.error("\(Self.ended(identity))")
                        // A connection that stands goes on, and it is the coordinator's clock that decides.
                        guard await Self.sleep(until: UnixTime.now + max(retry, 60)) else { return }
                        continue
                    }
                    logger.warning("could not renew this node's certificate: \(error); trying again in \(retry) s")
                    guard await Self.sleep(until: UnixTime.now + retry) else { return }
                }
            }
        }
    }

    private func renew(
        _ folder: NodeFolder, _ renew: @Sendable (RenewCertificate) async throws -> Enrolled
    ) async throws {
        let old = transport.credentials
        // A new key each time: a copy of the old one is worth nothing once its certificate has ended.
        let key = try PrivateKey.generate()
        let request = RenewCertificate(certificateRequest: try key.request(commonName: old.identity.name.name))
        let enrolled = try await renew(request)
        let chain = Certificates(ders: enrolled.certificates)
        let new = try changing.withLock { _ in
            // The authorities stay: an answer over the network adds nobody to those who are trusted.
            let new = try Credentials(
                certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem, authoritiesPEM: old.authoritiesPEM,
                revokedSerials: transport.credentials.revokedSerials.union(enrolled.revokedSerials))
            guard new.identity.uri == old.identity.uri else {
                throw IdentityError(.noIdentity, "the coordinator gave the certificate of \(new.identity)")
            }
            try folder.store(new)
            transport.replace(new)
            return new
        }
        logger.info("this node shows new \(new)")
    }

    private func keepLoaded(_ files: CredentialFiles) async {
        var seen = files.stamp
        while await Self.sleep(until: UnixTime.now + 1) {
            let stamp = files.stamp
            guard stamp != seen else { continue }
            seen = stamp
            reload()
        }
    }

    /// Reads files again that another authority's tools keep; does nothing with a data directory.
    public func reload() {
        guard case .files(let files) = source else { return }
        do {
            try changing.withLock { _ in
                let old = transport.credentials
                let new = try files.load(revokedSerials: old.revokedSerials)
                try Self.requireNode(new, name: old.identity.name, place: files.certificate)
                guard new != old else { return }
                transport.replace(new)
                logger.notice("this node shows new \(new)")
            }
        } catch {
            logger.error("what this node shows and trusts stays as it was: \(error)")
        }
    }

    /// The coordinator tells which certificates count no more.
    func revoke(_ serials: Set<String>) {
        changing.withLock { _ in
            let old = transport.credentials
            guard serials != old.revokedSerials else { return }
            transport.replace(old.revoking(serials))
            guard case .folder(let folder, _) = source else { return }
            do {
                try folder.storeRevoked(serials)
            } catch {
                logger.error("the revoked certificates are not kept for the next start: \(error)")
            }
        }
    }

    /// In pieces: the wall clock may be set while this waits. False when the task is cancelled.
    private static func sleep(until moment: Int64) async -> Bool {
        while true {
            let rest = moment - UnixTime.now
            guard rest > 0 else { return !Task.isCancelled }
            do { try await Task.sleep(for: .seconds(min(rest, 60))) } catch { return false }
        }
    }
}
