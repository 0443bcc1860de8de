import CPlatform

/// The name of an authority: the SHA-256 of its certificate in DER. Whoever has it knows the authority when shown it.
public struct AuthorityFingerprint: Hashable, Sendable, CustomStringConvertible {
    public static let byteCount = 32

    /// The 32 bytes.
    public let bytes: [UInt8]

    /// Of an authority's certificate; throws when OpenSSL cannot compute it.
    public init(certificateDER der: UnsafeRawBufferPointer) throws(IdentityError) {
        bytes = try SHA256.digest(der)
    }

    public init(certificateDER der: [UInt8]) throws(IdentityError) { bytes = try SHA256.digest(der) }

    /// 64 hexadecimal digits; nil for anything else.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 2 * Self.byteCount, let bytes = Hexadecimal.bytes(text) else { return nil }
        self.bytes = bytes
    }

    /// Lowercase hexadecimal.
    public var description: String { Hexadecimal.text(bytes) }
}
