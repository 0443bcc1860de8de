import Identity
import Testing
import Vocabulary

/// Things that many tests begin with.
enum Sample {
    static func name(_ text: String) throws -> NodeID { try #require(NodeID(text)) }

    static func authority(cluster: String = "test") throws -> CertificateAuthority {
        try CertificateAuthority.create(cluster: cluster, now: UnixTime.now)
    }

    static func request() throws -> [UInt8] { try PrivateKey.generate().request(commonName: "node") }

    /// Credentials that `authority` has signed.
    static func credentials(
        _ authority: CertificateAuthority, role: CertifiedRole = .node, name: String = "node-1",
        lifetimeSeconds: Int64 = 3600, now: Int64 = UnixTime.now
    ) throws -> Credentials {
        let key = try PrivateKey.generate()
        let chain = try authority.issue(
            request: try key.request(commonName: name), role: role, name: try self.name(name),
            lifetimeSeconds: lifetimeSeconds, now: now)
        return try Credentials(
            certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem, authoritiesPEM: authority.certificatePEM)
    }

    /// Records an issue unless `body` throws an `IdentityError` of this kind whose message holds `words`.
    static func expect(
        _ kind: IdentityError.Kind, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () throws -> Void
    ) {
        do {
            try body()
            Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        } catch let error as IdentityError {
            #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
            for word in words { #expect(error.message.contains(word), "\(error)", sourceLocation: sourceLocation) }
        } catch {
            Issue.record("another error: \(error)", sourceLocation: sourceLocation)
        }
    }
}
