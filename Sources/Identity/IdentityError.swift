/// What is wrong with a certificate, a key, a token or the folder they are kept in. `message` names the thing and the
/// fix.
public struct IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// Bytes or text that are not what they should be.
        case malformed
        /// A certificate that names nobody of a cluster.
        case noIdentity
        /// A private key of another certificate.
        case wrongKey
        /// A certificate that no trusted authority has signed.
        case untrusted
        /// A certificate whose time has passed, or not yet come.
        case expired
        /// A join token that is unknown, wrong, used up or expired; all of these look the same from outside.
        case tokenRefused
        /// A name or role that is not to be had with this token or by this caller.
        case forbidden
        /// A file or folder that cannot be read, written or trusted.
        case storage
        /// What OpenSSL could not do, which is a setting of the machine.
        case system
    }

    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
