/// A certificate as the coordinator remembers it, until some time after its end.
public struct CertificateRecord: Codable, Hashable, Sendable {
    /// Why it was made.
    public enum Reason: String, Codable, Hashable, Sendable {
        /// A node enrolled with a token, or was given its first certificate by the coordinator's own host.
        case enrolment
        /// In place of one that was about to end.
        case renewal
        /// Never made here: of another authority, and revoked.
        case foreign
    }

    public let serial: String
    /// Empty for a foreign one.
    public let role: String
    public let name: String
    /// Seconds since 1970.
    public let issuedAt: Int64
    public let notAfter: Int64
    public let reason: Reason
    /// Order of events: grows by one with each certificate and each revocation.
    let number: UInt64
    public internal(set) var revokedAt: Int64?
    var revokedNumber: UInt64?

    public func isValid(at now: Int64) -> Bool { revokedAt == nil && now <= notAfter }
}
