import CPlatform
public import Vocabulary

/// A cluster's own authority: a key and a self-signed certificate. It signs what it is told to; who may have which
/// certificate is decided by its callers.
public struct CertificateAuthority: Sendable, CustomStringConvertible {
    /// How long an authority's certificate holds: ten years.
    public static let lifetimeSeconds: Int64 = 10 * 365 * 86_400
    /// Certificates hold from this long before they are made, for hosts whose clocks run behind.
    public static let backdatingSeconds: Int64 = 300

    /// The trust domain of all certificates it signs.
    public let cluster: String
    public let certificatePEM: String
    public let key: PrivateKey
    public let fingerprint: AuthorityFingerprint
    /// When its certificate ends, seconds since 1970.
    public let notAfter: Int64
    let certificate: [UInt8]

    /// A new authority.
    ///
    /// - Parameters:
    ///   - cluster: the trust domain, 1 to 255 characters out of `a-z 0-9 . - _`.
    ///   - now: seconds since 1970.
    public static func create(cluster: String, now: Int64) throws(IdentityError) -> CertificateAuthority {
        guard IdentityURI.isCluster(cluster) else {
            throw IdentityError(
                .malformed,
                "a cluster cannot be called '\(cluster.forPeople)': use 1 to 255 characters out of a-z 0-9 . - _")
        }
        let key = try PrivateKey.generate()
        let der = try X509.bytes(.system, "cannot make an authority") { out, error in
            withContents(
                serial: newSerial(), notBefore: now - backdatingSeconds, notAfter: now + lifetimeSeconds,
                commonName: "Shardline authority of \(cluster)", uri: IdentityURI.scheme + cluster, mayListen: false
            ) { contents in
                key.withView { sl_x509_create_authority($0, contents, out, error) }
            }
        }
        return try CertificateAuthority(certificatePEM: try Certificates(ders: [der]).pem(), key: key)
    }

    /// An authority as it was stored; throws when certificate and key are not one authority's.
    public init(certificatePEM: String, key: PrivateKey) throws(IdentityError) {
        let certificates = try Certificates(pem: certificatePEM, what: "the authority's certificate")
        guard certificates.ders.count == 1 else {
            throw IdentityError(.malformed, "the authority's certificate is not one but \(certificates.ders.count)")
        }
        certificate = certificates.ders[0]
        let facts = try CertificateFacts(der: certificate)
        guard facts.isAuthority else {
            throw IdentityError(.malformed, "the authority's certificate may not sign others")
        }
        guard facts.uriCount == 1, let cluster = IdentityURI.cluster(facts.uri) else {
            throw IdentityError(
                .noIdentity, "the authority's certificate does not name its cluster as spiffe://CLUSTER")
        }
        try key.requireMatch(certificate)
        try certificates.verify(against: certificates)
        self.cluster = cluster
        self.certificatePEM = try certificates.pem()
        self.key = key
        notAfter = facts.notAfter
        fingerprint = try AuthorityFingerprint(certificateDER: certificate)
    }

    /// A certificate for the key of `request`.
    ///
    /// - Parameters:
    ///   - request: PKCS#10 in DER, from outside: it must be signed with its own P-256 key. Nothing but the key is
    ///     taken from it.
    ///   - lifetimeSeconds: from `now` on; never beyond the authority's own end.
    ///   - now: seconds since 1970.
    /// - Returns: the chain: the certificate, then the authority's.
    public func issue(
        request: [UInt8], role: CertifiedRole, name: NodeID, lifetimeSeconds: Int64, now: Int64
    ) throws(IdentityError) -> Certificates {
        guard request.count <= 16_384 else {
            throw IdentityError(.malformed, "a certificate request of \(request.count) bytes is too long")
        }
        try X509.call(.malformed, "the certificate request is refused") { error in
            request.withUnsafeBytes { sl_x509_check_request(X509.view($0), error) }
        }
        guard now < notAfter else {
            throw IdentityError(
                .expired, "the cluster's authority has expired: make a new one and enrol all nodes again")
        }
        let uri = IdentityURI(cluster: cluster, role: role, name: name).text
        let der = try X509.bytes(.system, "cannot sign a certificate for \(role.rawValue) '\(name)'") { out, error in
            Self.withContents(
                serial: Self.newSerial(), notBefore: now - Self.backdatingSeconds,
                notAfter: min(now + lifetimeSeconds, notAfter), commonName: "\(role.rawValue.prefix(1)):\(name)",
                uri: uri, mayListen: role != .operator
            ) { contents in
                certificate.withUnsafeBytes { authority in
                    request.withUnsafeBytes { asked in
                        key.withView { sl_x509_issue(X509.view(authority), $0, X509.view(asked), contents, out, error) }
                    }
                }
            }
        }
        return Certificates(ders: [der, certificate])
    }

    /// 16 random bytes, positive and never beginning with zero: nobody can guess or wish for one.
    private static func newSerial() -> [UInt8] {
        var serial = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        serial[0] = serial[0] & 0x7F | 0x40
        return serial
    }

    private static func withContents<Result>(
        serial: [UInt8], notBefore: Int64, notAfter: Int64, commonName: String, uri: String, mayListen: Bool,
        _ body: (UnsafePointer<sl_x509_contents>) -> Result
    ) -> Result {
        serial.withUnsafeBytes { serial in
            // A common name has room for 64 characters.
            String(commonName.prefix(64)).withCString { name in
                uri.withCString { uri in
                    var contents = sl_x509_contents(
                        serial: X509.view(serial), not_before: notBefore, not_after: notAfter, common_name: name,
                        uri: uri, may_listen: mayListen ? 1 : 0)
                    return body(&contents)
                }
            }
        }
    }

    /// Without the key.
    public var description: String { "the authority of \(cluster), \(fingerprint)" }
}
