import CPlatform

/// What a process shows and whom it trusts. A value: rotation makes a new one.
public struct Credentials: Hashable, Sendable, CustomStringConvertible {
    public let identity: CertifiedIdentity
    /// The process's own certificate first, then those between it and an authority, then (of the cluster's own
    /// authority) the authority's.
    public let certificateChainPEM: String
    /// PKCS#8 or another form that OpenSSL reads, not encrypted. Never printed.
    public let privateKeyPEM: String
    /// The authorities whose signatures are trusted.
    public let authoritiesPEM: String
    /// Certificates that are not to be trusted any more, in lowercase hexadecimal.
    public let revokedSerials: Set<String>

    /// Reads it all; throws an error that names what is wrong: texts that cannot be read, a key of another
    /// certificate, a certificate that is nobody's of a cluster or that none of the authorities has signed. Times are
    /// not looked at: an expired certificate can still say whose it is.
    public init(
        certificateChainPEM: String, privateKeyPEM: String, authoritiesPEM: String, revokedSerials: Set<String> = []
    ) throws(IdentityError) {
        let chain = try Certificates(pem: certificateChainPEM, what: "the certificate chain")
        let authorities = try Certificates(pem: authoritiesPEM, what: "the list of authorities")
        let facts = try chain.facts(0)
        let identity = try CertifiedIdentity(facts)
        try PrivateKey(pem: privateKeyPEM).requireMatch(chain.ders[0])
        for index in authorities.ders.indices where try !authorities.facts(index).isAuthority {
            throw IdentityError(
                .malformed, "certificate \(index + 1) of the list of authorities may not sign others")
        }
        try chain.verify(against: authorities)
        guard facts.mayDial, facts.mayListen || identity.role == .operator else {
            let usage = identity.role == .operator ? "TLS clients" : "TLS servers and clients"
            throw IdentityError(
                .malformed, "the certificate of \(identity) is not for \(usage): see its extended key usage")
        }
        guard !revokedSerials.contains(identity.serial) else {
            throw IdentityError(.untrusted, "the certificate of \(identity), serial \(identity.serial), is revoked")
        }
        self.init(
            identity: identity, certificateChainPEM: try chain.pem(),
            privateKeyPEM: privateKeyPEM.hasSuffix("\n") ? privateKeyPEM : privateKeyPEM + "\n",
            authoritiesPEM: try authorities.pem(), revokedSerials: revokedSerials)
    }

    private init(
        identity: CertifiedIdentity, certificateChainPEM: String, privateKeyPEM: String, authoritiesPEM: String,
        revokedSerials: Set<String>
    ) {
        self.identity = identity
        self.certificateChainPEM = certificateChainPEM
        self.privateKeyPEM = privateKeyPEM
        self.authoritiesPEM = authoritiesPEM
        self.revokedSerials = revokedSerials
    }

    /// The same with another list of certificates that are not to be trusted.
    public func revoking(_ serials: Set<String>) -> Credentials {
        Credentials(
            identity: identity, certificateChainPEM: certificateChainPEM, privateKeyPEM: privateKeyPEM,
            authoritiesPEM: authoritiesPEM, revokedSerials: serials)
    }

    /// Without the key.
    public var description: String { "credentials of \(identity), serial \(identity.serial)" }
}

extension Credentials: CustomReflectable {
    /// A dump must not show the key either.
    public var customMirror: Mirror { Mirror(self, children: ["identity": identity]) }
}
