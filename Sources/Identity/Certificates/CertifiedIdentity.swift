public import Vocabulary

/// Who a certificate says its holder is: `spiffe://<cluster>/<role>/<name>`, its one URI.
public struct CertifiedIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The trust domain: 1 to 255 characters out of `a-z 0-9 . - _`.
    public let cluster: String
    public let role: CertifiedRole
    public let name: NodeID
    /// The certificate's number in lowercase hexadecimal, two digits a byte.
    public let serial: String
    /// The certificate holds from here to there, seconds since 1970.
    public let notBefore: Int64
    public let notAfter: Int64

    /// Of a certificate in DER. Only its contents are looked at; who signed it is for the caller to check.
    public init(certificateDER der: UnsafeRawBufferPointer) throws(IdentityError) {
        try self.init(CertificateFacts(der))
    }

    init(_ facts: CertificateFacts) throws(IdentityError) {
        guard facts.uriCount == 1 else {
            throw IdentityError(
                .noIdentity,
                "the certificate has \(facts.uriCount) URIs among its alternative names; it needs exactly one, "
                    + "spiffe://CLUSTER/ROLE/NAME")
        }
        guard let parts = IdentityURI(facts.uri) else {
            throw IdentityError(
                .noIdentity,
                "the certificate is for '\(facts.uri.forPeople)', which is not spiffe://CLUSTER/ROLE/NAME with a role "
                    + "out of coordinator, node and operator")
        }
        cluster = parts.cluster
        role = parts.role
        name = parts.name
        serial = facts.serial
        notBefore = facts.notBefore
        notAfter = facts.notAfter
    }

    /// The URI in the certificate.
    public var uri: String { IdentityURI(cluster: cluster, role: role, name: name).text }

    public var description: String { "\(role.rawValue) '\(name)' of \(cluster)" }

    /// Do the times cover `now`, in seconds since 1970?
    public func isValid(at now: Int64) -> Bool { notBefore <= now && now <= notAfter }
}
