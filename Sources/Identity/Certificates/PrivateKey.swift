import CPlatform

/// A private key in PEM. Never printed.
public struct PrivateKey: Sendable, CustomStringConvertible, CustomReflectable {
    public let pem: String

    public init(pem: String) { self.pem = pem }

    /// A new one on the curve P-256.
    public static func generate() throws(IdentityError) -> PrivateKey {
        PrivateKey(pem: X509.text(try X509.bytes(.system, "cannot make a key") { sl_x509_create_key($0, $1) }))
    }

    /// A certificate request (PKCS#10, DER) for this key.
    ///
    /// - Parameter commonName: for people; an authority puts the name that it chose itself into the certificate.
    public func request(commonName: String) throws(IdentityError) -> [UInt8] {
        try X509.bytes(.wrongKey, "cannot ask for a certificate") { out, error in
            withView { sl_x509_create_request($0, commonName, out, error) }
        }
    }

    /// Throws unless `certificate` (DER) is this key's.
    public func requireMatch(_ certificate: [UInt8]) throws(IdentityError) {
        try X509.call(.wrongKey, "key and certificate do not belong together") { error in
            certificate.withUnsafeBytes { der in withView { sl_x509_match_key($0, X509.view(der), error) } }
        }
    }

    func withView<Result>(_ body: (sl_x509_view) -> Result) -> Result {
        var pem = pem
        return pem.withUTF8 { body(X509.view(UnsafeRawBufferPointer($0))) }
    }

    public var description: String { "a private key" }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
