import CPlatform

/// Certificates one after another: a chain, or the authorities that are trusted.
///
/// Texts of more than `byteCountMax` bytes or `countMax` certificates are refused: nothing of a cluster is as large.
public struct Certificates: Hashable, Sendable {
    public static let byteCountMax = 1 << 20
    public static let countMax = 64

    /// Each in DER.
    public let ders: [[UInt8]]

    public init(ders: [[UInt8]]) { self.ders = ders }

    /// - Parameter what: names the text in errors, such as a file.
    public init(pem: String, what: String) throws(IdentityError) {
        guard pem.utf8.count <= Self.byteCountMax else {
            throw IdentityError(.malformed, "\(what) is longer than \(Self.byteCountMax) bytes")
        }
        let bytes = Array(pem.utf8)
        var offset = 0
        var ders: [[UInt8]] = []
        while true {
            let der = try X509.bytes(.malformed, what) { out, error in
                bytes.withUnsafeBytes { sl_x509_read_pem(X509.view($0), &offset, out, error) }
            }
            if der.isEmpty { break }
            guard ders.count < Self.countMax else {
                throw IdentityError(.malformed, "\(what) holds more than \(Self.countMax) certificates")
            }
            ders.append(der)
        }
        guard !ders.isEmpty else { throw IdentityError(.malformed, "\(what) holds no certificate in PEM form") }
        self.ders = ders
    }

    /// As text, one after another.
    public func pem() throws(IdentityError) -> String {
        var text = ""
        for der in ders {
            text += X509.text(
                try X509.bytes(.malformed, "the certificate cannot be written") { out, error in
                    der.withUnsafeBytes { sl_x509_write_pem(X509.view($0), out, error) }
                })
        }
        return text
    }

    /// Throws unless signatures lead from the first of these to one of `authorities`.
    ///
    /// - Parameter time: must be covered by all certificates on the way, seconds since 1970; nil looks at no times.
    public func verify(against authorities: Certificates, at time: Int64? = nil) throws(IdentityError) {
        try X509.call(.untrusted, "no trusted authority has signed the certificate") { error in
            X509.withViews(ders) { chain in
                X509.withViews(authorities.ders) { trusted in
                    sl_x509_verify(
                        chain.baseAddress, chain.count, trusted.baseAddress, trusted.count, time ?? -1, error)
                }
            }
        }
    }

    /// Who the first one is for.
    public func identity() throws(IdentityError) -> CertifiedIdentity { try CertifiedIdentity(facts(0)) }

    func facts(_ index: Int) throws(IdentityError) -> CertificateFacts {
        try CertificateFacts(der: ders[index])
    }
}

extension CertificateFacts {
    init(der: [UInt8]) throws(IdentityError) {
        let result = der.withUnsafeBytes { bytes in
            Result { () throws(IdentityError) in try CertificateFacts(bytes) }
        }
        self = try result.get()
    }
}
