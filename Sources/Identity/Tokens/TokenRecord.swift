import CPlatform
import Vocabulary

/// A join token as the coordinator keeps it: not the secret but its hash.
public struct TokenRecord: Codable, Hashable, Sendable {
    public let id: String
    /// SHA-256 of the secret's digits, in hexadecimal. The secret has 160 random bits: a slow hash would add nothing.
    let secretHash: String
    /// Only a node of this name may use it; nil: any name that is free.
    public let node: String?
    /// Seconds since 1970.
    public let createdAt: Int64
    public let expiresAt: Int64
    public internal(set) var usesLeft: Int

    init(_ token: JoinToken, node: NodeID?, createdAt: Int64, expiresAt: Int64, uses: Int) throws(IdentityError) {
        id = token.id
        secretHash = try Self.hash(token.secret)
        self.node = node?.name
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        usesLeft = uses
    }

    /// Takes as long whatever `secret` is.
    func isSecret(_ secret: String) throws(IdentityError) -> Bool {
        let (own, other) = (Array(secretHash.utf8), Array(try Self.hash(secret).utf8))
        return own.count == other.count && CRYPTO_memcmp(own, other, own.count) == 0
    }

    func isExpired(at now: Int64) -> Bool { now >= expiresAt }

    private static func hash(_ secret: String) throws(IdentityError) -> String {
        Hexadecimal.text(try SHA256.digest(Array(secret.utf8)))
    }
}
