/// A node's data directory: its certificate, key and authority, and which certificates it must not trust.
public struct NodeFolder: Sendable {
    private static let credentialsFile = "credentials.pem"
    private static let revokedFile = "revoked"

    public let folder: PrivateFolder

    /// Makes the folder when it is not there.
    public init(path: String) throws(IdentityError) { folder = try PrivateFolder(path: path, creates: true) }

    /// For as long as a node runs.
    public func lock() throws(IdentityError) -> FileLock {
        guard let lock = try FileLock(path: folder.path(of: "node.lock")) else {
            throw IdentityError(
                .storage, "\(folder.path) is in use by another node: give each one its own data directory")
        }
        return lock
    }

    /// What was stored; nil when there is nothing. A damaged file is named and stays as it is. The certificate may have
    /// ended, and it may be among the revoked.
    public func load() throws(IdentityError) -> Credentials? {
        guard let bytes = try folder.read(Self.credentialsFile) else { return nil }
        let path = folder.path(of: Self.credentialsFile)
        do {
            return try CredentialsBundle.parse(String(decoding: bytes, as: UTF8.self), what: path)
                .revoking(try revokedSerials())
        } catch {
            throw IdentityError(error.kind, "\(error.message); to enrol again with a join token, move it away")
        }
    }

    /// Replaces certificate and key in one step.
    public func store(_ credentials: Credentials) throws(IdentityError) {
        try storeRevoked(credentials.revokedSerials)
        try folder.write(Array(CredentialsBundle.text(credentials).utf8), to: Self.credentialsFile)
    }

    /// One serial number a line.
    public func storeRevoked(_ serials: Set<String>) throws(IdentityError) {
        try folder.write(Array(serials.sorted().map { $0 + "\n" }.joined().utf8), to: Self.revokedFile)
    }

    private func revokedSerials() throws(IdentityError) -> Set<String> {
        let lines = String(decoding: try folder.read(Self.revokedFile) ?? [], as: UTF8.self).split(separator: "\n")
        for line in lines where line.utf8.count > 40 || Hexadecimal.bytes(line) == nil {
            throw IdentityError(
                .malformed, "\(folder.path(of: Self.revokedFile)) is damaged: '\(String(line).forPeople)'")
        }
        return Set(lines.map(String.init))
    }
}
