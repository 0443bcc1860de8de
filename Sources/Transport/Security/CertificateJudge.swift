import CPlatform
import Glibc
import Identity

/// Decides whether the certificate that the other end of one connection shows is good enough, and says why not.
///
/// `@unchecked Sendable`: used on the loop's thread alone, in the TLS handshake and after it.
final class CertificateJudge: @unchecked Sendable {
    enum Task: Sendable {
        /// We listen: who is refused is told so in words, after the handshake, instead of by an alert's number.
        case accepting
        case opening
        /// We ask for our first certificate and know nothing but the authority's fingerprint.
        case enrolling(AuthorityFingerprint)
    }

    let task: Task
    /// Whom we trust, and who we are; nil without a certificate of our own.
    let credentials: Credentials?
    private(set) var verdict: Authentication = .pending

    init(_ task: Task, _ credentials: Credentials?) {
        self.task = task
        self.credentials = credentials
    }

    var accepts: Bool { if case .accepting = task { true } else { false } }

    /// In the handshake: an X509_V_ERR value.
    func judge(_ chain: sl_tls_chain) -> Int32 {
        let leaf = UnsafeRawBufferPointer(start: chain.leaf, count: chain.leaf_byte_count)
        let identity = Result { () throws(IdentityError) in try CertifiedIdentity(certificateDER: leaf) }
        guard let (error, reason) = objection(chain, identity) else {
            if case .success(let identity) = identity { verdict = .certified(identity) }
            return X509_V_OK
        }
        verdict = .refused(reason)
        return accepts ? X509_V_OK : error
    }

    /// The error of X.509 that fits best, and the reason for people; nil when all is good.
    private func objection(
        _ chain: sl_tls_chain, _ found: Result<CertifiedIdentity, IdentityError>
    ) -> (error: Int32, reason: String)? {
        if chain.error != X509_V_OK {
            return (chain.error, reason(chain, try? found.get()))
        }
        let identity: CertifiedIdentity
        switch found {
        case .success(let certified): identity = certified
        case .failure(let error): return (X509_V_ERR_CERT_REJECTED, error.message)
        }
        guard let credentials else {
            // Whoever holds the token learnt the fingerprint from the coordinator; a node of the cluster must not pass
            // for it.
            guard identity.role == .coordinator else {
                return (
                    X509_V_ERR_CERT_REJECTED,
                    "\(identity) answers, not the coordinator: certificates are only had there"
                )
            }
            return nil
        }
        guard identity.cluster == credentials.identity.cluster else {
            return (
                X509_V_ERR_CERT_REJECTED,
                "\(identity.role.rawValue) '\(identity.name)' is of the cluster \(identity.cluster), not of "
                    + credentials.identity.cluster
            )
        }
        guard !credentials.revokedSerials.contains(identity.serial) else {
            return (X509_V_ERR_CERT_REVOKED, Self.revocation(of: identity))
        }
        return nil
    }

    static func revocation(of identity: CertifiedIdentity) -> String {
        "the certificate of \(identity), serial \(identity.serial), is revoked: if it shall come back, enrol it again "
            + "with a token"
    }

    // MARK: Reasons

    /// Why no chain of good certificates leads to an authority.
    private func reason(_ chain: sl_tls_chain, _ identity: CertifiedIdentity?) -> String {
        let holder = identity.map { "\($0)" } ?? "the other end"
        let isLeaf =
            chain.culprit_byte_count == chain.leaf_byte_count
            && memcmp(chain.culprit, chain.leaf, chain.leaf_byte_count) == 0
        switch chain.error {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            guard isLeaf, let identity else {
                return "a certificate that the one of \(holder) hangs on has ended: its authority must make a new one"
            }
            return Self.expiry(of: identity)
        case X509_V_ERR_CERT_NOT_YET_VALID:
            let beginning = identity.map { " until \(UTCTime.text($0.notBefore))" } ?? ""
            return "the certificate of \(holder) does not hold yet\(beginning): compare the clocks of both hosts"
        case X509_V_ERR_INVALID_PURPOSE:
            return
                "the certificate of \(holder) is not for TLS \(accepts ? "clients" : "servers"): see its extended key "
                + "usage"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED,
            X509_V_ERR_CERT_SIGNATURE_FAILURE:
            if case .enrolling(let fingerprint) = task {
                return "\(holder) does not show the authority \(fingerprint): the token is another cluster's, or "
                    + "somebody stands between"
            }
            return "the certificate of \(holder) is signed by no authority that is trusted here: it belongs to another "
                + "cluster; enrol it with a token of this one"
        default:
            let error = String(cString: X509_verify_cert_error_string(Int(chain.error)))
            return "the certificate of \(holder) is refused: \(error)"
        }
    }

    static func expiry(of identity: CertifiedIdentity) -> String {
        let end = "the certificate of \(identity) ended on \(UTCTime.text(identity.notAfter))"
        return switch identity.role {
        case .node: "\(end): it could not renew; enrol it again with a token"
        case .operator: "\(end): have a new one made"
        case .coordinator: "\(end): it must make itself a new one; start it again"
        }
    }

    /// What an alert of the other end says about us.
    func explanation(ofAlert alert: Int32) -> String? {
        let own = credentials.map { "the certificate of \($0.identity)" } ?? "that there is no certificate"
        return switch alert {
        case SSL_AD_CERTIFICATE_EXPIRED: "the other end says that \(own) has ended"
        case SSL_AD_CERTIFICATE_REVOKED: "the other end says that \(own) is revoked"
        case SSL_AD_UNKNOWN_CA:
            "the other end does not trust the authority of \(own): it belongs to another cluster"
        case SSL_AD_BAD_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_ACCESS_DENIED:
            "the other end does not accept \(own): is it of another cluster, or do the clocks differ?"
        case SSL_AD_NO_APPLICATION_PROTOCOL:
            "the other end speaks TLS, but is no Shardline process of this protocol"
        case SSL_AD_PROTOCOL_VERSION: "the other end does not speak TLS 1.3"
        default: nil
        }
    }
}
