import Glibc

/// A certificate chain, its key and the authorities in files that somebody else keeps, such as an organisation's
/// own certificate manager. They may be replaced at any time.
public struct CredentialFiles: Hashable, Sendable {
    public let certificate: String
    public let key: String
    public let authority: String

    public init(certificate: String, key: String, authority: String) {
        self.certificate = certificate
        self.key = key
        self.authority = authority
    }

    /// Differs from what it was before whenever one of the files was changed. Files that are not there count too.
    public struct Stamp: Hashable, Sendable {
        var stamps: [RegistryFile.Stamp?]
    }

    public var stamp: Stamp { Stamp(stamps: [certificate, key, authority].map { RegistryFile.stamp(of: $0) }) }

    /// Reads all three. The key must be its owner's alone, or the administrator's and readable by a group of theirs.
    public func load(revokedSerials: Set<String> = []) throws(IdentityError) -> Credentials {
        let chain = try text(certificate, PrivateFile.readPublic(certificate))
        let secret = try text(key, PrivateFile.readKey(key))
        let trusted = try text(authority, PrivateFile.readPublic(authority))
        do {
            return try Credentials(
                certificateChainPEM: chain, privateKeyPEM: secret, authoritiesPEM: trusted,
                revokedSerials: revokedSerials)
        } catch {
            throw IdentityError(
                error.kind, "\(error.message) (certificate \(certificate), key \(key), authority \(authority))")
        }
    }

    private func text(_ path: String, _ bytes: [UInt8]?) throws(IdentityError) -> String {
        guard let bytes else { throw IdentityError(.storage, "\(path): no such file") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
