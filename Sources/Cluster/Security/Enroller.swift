import Identity
import Logging
import Transport
import Vocabulary
import Wire

/// Gives certificates to nodes: the first for a join token, later ones for the one they have shown.
///
/// Not on the event loop: it signs, and waits for the disk.
actor Enroller: EnrolmentHandler {
    private let folder: AuthorityFolder
    private let lifetimeSeconds: Int64
    private let logger: Logger

    init(folder: AuthorityFolder, lifetimeSeconds: Int64, logger: Logger) {
        self.folder = folder
        self.lifetimeSeconds = lifetimeSeconds
        self.logger = logger
    }

    func enrol(_ request: Enrol, from address: String) async throws(RemoteFailure) -> Enrolled {
        do throws(IdentityError) {
            guard request.role == CertifiedRole.node.rawValue else {
                throw IdentityError(
                    .forbidden, "join tokens are for nodes: operators get theirs by `shardline operator create`")
            }
            let chain = try folder.enrol(
                tokenID: request.tokenID, secret: request.secret, request: request.certificateRequest,
                node: request.node, lifetimeSeconds: lifetimeSeconds)
            let serial = try chain.identity().serial
            logger.notice(
                """
                enrolled node '\(request.node)' from \(address) with the token \(Self.shown(request.tokenID)); \
                certificate \(serial)
                """)
            return try answer(chain)
        } catch {
            logger.warning(
                """
                refused to enrol '\(request.node)' from \(address) with the token \(Self.shown(request.tokenID)): \
                \(error)
                """)
            throw Self.failure(of: error)
        }
    }

    func renew(_ request: RenewCertificate, of node: NodeID) throws(RemoteFailure) -> Enrolled {
        do throws(IdentityError) {
            let chain = try folder.renew(
                node: node, request: request.certificateRequest, lifetimeSeconds: lifetimeSeconds)
            let serial = try chain.identity().serial
            logger.info("renewed the certificate of node '\(node)': \(serial)")
            return try answer(chain)
        } catch {
            logger.warning("refused to renew the certificate of '\(node)': \(error)")
            throw Self.failure(of: error)
        }
    }

    private func answer(_ chain: Certificates) throws(IdentityError) -> Enrolled {
        Enrolled(certificates: chain.ders, revokedSerials: try folder.registry.revokedSerials().sorted())
    }

    /// What a stranger is told. The state of this host's disk is not for them.
    private static func failure(of error: IdentityError) -> RemoteFailure {
        switch error.kind {
        case .tokenRefused, .forbidden:
            RemoteFailure(code: RemoteFailure.Code.forbidden, message: error.message)
        case .storage, .system:
            RemoteFailure(
                code: RemoteFailure.Code.internalError, message: "the coordinator could not do it: see its log")
        case .malformed, .noIdentity, .wrongKey, .untrusted, .expired:
            RemoteFailure(code: RemoteFailure.Code.refused, message: error.message)
        }
    }

    /// A token's id as somebody sent it: a few plain characters, whatever it was.
    private static func shown(_ id: String) -> String {
        "'" + id.unicodeScalars.prefix(16).map { ("0"..."z").contains($0) ? String($0) : "?" }.joined() + "'"
    }
}
