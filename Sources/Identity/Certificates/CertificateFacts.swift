import CPlatform

/// What stands in a certificate.
struct CertificateFacts: Hashable, Sendable {
    let serial: String
    /// The first URI among the alternative names.
    let uri: String
    let uriCount: Int
    /// Seconds since 1970.
    let notBefore: Int64
    let notAfter: Int64
    let isAuthority: Bool
    /// May be shown by the side of a connection that listens, and by the side that dials.
    let mayListen: Bool
    let mayDial: Bool
    let isP256: Bool

    init(_ der: UnsafeRawBufferPointer) throws(IdentityError) {
        var facts = sl_x509_facts()
        try X509.call(.malformed, "the certificate cannot be used") { sl_x509_read(X509.view(der), &facts, $0) }
        serial = X509.text(of: facts.serial)
        uri = X509.text(of: facts.uri)
        uriCount = Int(facts.uri_count)
        notBefore = facts.not_before
        notAfter = facts.not_after
        isAuthority = facts.is_authority != 0
        mayListen = facts.may_listen != 0
        mayDial = facts.may_dial != 0
        isP256 = facts.is_p256 != 0
    }
}
