import Glibc
import Identity
import Testing
import Vocabulary

/// A cluster's authority, and what it signs for tests.
struct TestAuthority: Sendable {
    let authority: CertificateAuthority

    /// That of the processes in tests which do not care.
    static let shared = try? TestAuthority("test")

    static func get() throws -> TestAuthority { try #require(shared) }

    init(_ cluster: String) throws {
        authority = try CertificateAuthority.create(cluster: cluster, now: Self.now - 1_000_000)
    }

    static var now: Int64 { Int64(time(nil)) }

    /// - Parameters:
    ///   - begin: seconds from now on; backdated by some minutes.
    ///   - others: authorities that are trusted beside this one.
    func credentials(
        _ name: String, _ role: CertifiedRole = .node, begin: Int64 = 0, lifetimeSeconds: Int64 = 3600,
        others: [TestAuthority] = [], revoked: Set<String> = []
    ) throws -> Credentials {
        let key = try PrivateKey.generate()
        let chain = try authority.issue(
            request: try key.request(commonName: name), role: role, name: try #require(NodeID(name)),
            lifetimeSeconds: lifetimeSeconds, now: Self.now + begin)
        return try Credentials(
            certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem,
            authoritiesPEM: ([self] + others).map(\.authority.certificatePEM).joined(), revokedSerials: revoked)
    }
}
