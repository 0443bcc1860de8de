public import Identity
public import Logging
import Synchronization
public import Transport
import Vocabulary
import Wire

/// Who is who, on the coordinator's side: what it shows, whom it enrols, and which certificates count no more.
public final class CoordinatorSecurity: Sendable {
    /// Where its own certificate comes from.
    public enum Source: Sendable {
        /// The cluster's own authority. `lifetimeSeconds` is that of all certificates it makes.
        case authority(AuthorityFolder, lifetimeSeconds: Int64)
        /// Another authority's files. The registry says what is revoked all the same.
        case files(CredentialFiles, RegistryFile)
    }

    public let transport: TransportSecurity
    private let source: Source
    private let enroller: Enroller?
    private let registry: RegistryFile
    private let logger: Logger
    private let lock: FileLock
    /// Held while credentials are read, changed and replaced.
    private let changing = Mutex(())

    /// Throws when there is no certificate to show, when it is not a coordinator's, or when another coordinator uses
    /// the data directory.
    public init(_ source: Source, logger: Logger) throws(IdentityError) {
        self.source = source
        self.logger = logger
        switch source {
        case .authority(let folder, let lifetimeSeconds):
            registry = folder.registry
            enroller = Enroller(folder: folder, lifetimeSeconds: lifetimeSeconds, logger: logger)
        case .files(_, let registry):
            self.registry = registry
            enroller = nil
        }
        lock = try AuthorityFolder.lock(registry.folder)
        let credentials = try Self.credentials(source)
        transport = TransportSecurity(credentials: credentials, enrolment: enroller)
        logger.info("this coordinator shows \(credentials)")
    }

    private static func credentials(_ source: Source) throws(IdentityError) -> Credentials {
        switch source {
        case .authority(let folder, let lifetimeSeconds):
            return try folder.coordinatorCredentials(lifetimeSeconds: lifetimeSeconds)
        case .files(let files, let registry):
            let credentials = try files.load(revokedSerials: try registry.revokedSerials())
            guard credentials.identity.role == .coordinator, credentials.identity.name == .coordinator else {
                throw IdentityError(
                    .noIdentity,
                    "\(files.certificate) is the certificate of \(credentials.identity); a coordinator's is for "
                        + "spiffe://\(credentials.identity.cluster)/coordinator/coordinator")
            }
            return credentials
        }
    }

    /// All that are revoked and have not ended, in order.
    public var revokedSerials: [String] { transport.credentials.revokedSerials.sorted() }

    /// Lets commands on this host find the coordinator's data directory by its address.
    func listens(at address: String) {
        guard case .authority(let folder, _) = source else { return }
        do {
            try folder.storeAddress(address)
        } catch {
            logger.warning("commands on this host need --data-directory \(folder.folder.path): \(error)")
        }
    }

    func renew(_ request: RenewCertificate, of node: NodeID) async throws(RemoteFailure) -> Enrolled {
        guard let enroller else {
            throw RemoteFailure(
                code: RemoteFailure.Code.refused,
                message: "this cluster's certificates come from another authority: renew them there")
        }
        return try await enroller.renew(request, of: node)
    }

    // MARK: Changes

    /// Looks each second whether a command has revoked something, whether files were replaced, and whether it is time
    /// for a new certificate. Until the task is cancelled.
    ///
    /// A look at a file's times costs microseconds and needs nothing of those who change it; nobody has to tell this
    /// process, and no message can be lost.
    ///
    /// - Parameter onRevoked: called with all revoked serial numbers whenever they change.
    public func watch(onRevoked: @escaping @Sendable ([String]) async -> Void) async {
        var seen = look
        // What changed between the start and this.
        var revoked = transport.credentials.revokedSerials
        var isFirst = true
        while !Task.isCancelled {
            let now = look
            if isFirst || now != seen || isRenewalDue {
                update()
                seen = now
                isFirst = false
            }
            let current = transport.credentials.revokedSerials
            if current != revoked {
                revoked = current
                await onRevoked(current.sorted())
            }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }

    /// Reads everything again: new connections use it at once, peers with a revoked certificate are dropped. What can't
    /// be used is logged, and what was used before stays.
    public func update() {
        changing.withLock { _ in
            do {
                let credentials = try Self.credentials(source).revoking(try registry.revokedSerials())
                let old = transport.credentials
                guard credentials != old else { return }
                transport.replace(credentials)
                if credentials.identity != old.identity { logger.notice("this coordinator shows new \(credentials)") }
                for serial in credentials.revokedSerials.subtracting(old.revokedSerials).sorted() {
                    logger.notice("the certificate \(serial) is revoked")
                }
            } catch {
                logger.error("what this coordinator shows and trusts stays as it was: \(error)")
            }
        }
    }

    private struct Look: Hashable {
        var registry: RegistryFile.Stamp?
        var files: CredentialFiles.Stamp?
    }

    private var look: Look {
        guard case .files(let files, _) = source else { return Look(registry: registry.stamp) }
        return Look(registry: registry.stamp, files: files.stamp)
    }

    private var isRenewalDue: Bool {
        guard case .authority = source else { return false }
        return RenewalSchedule.renewal(of: transport.credentials.identity, jitter: 0) <= UnixTime.now
    }
}
