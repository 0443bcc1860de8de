import Foundation
import Identity
import Testing
import Vocabulary

@Suite struct CertificateAuthorityTests {
    @Test func issuesWhatCredentialsAccept() throws {
        let now = Int64(Date().timeIntervalSince1970)
        let authority = try CertificateAuthority.create(cluster: "test", now: now)
        let key = try PrivateKey.generate()
        let name = try #require(NodeID("node-1"))
        let chain = try authority.issue(
            request: try key.request(commonName: "x"), role: .node, name: name, lifetimeSeconds: 3600, now: now)
        let credentials = try Credentials(
            certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem, authoritiesPEM: authority.certificatePEM)
        #expect(credentials.identity.uri == "spiffe://test/node/node-1")
        #expect(credentials.identity.notAfter == now + 3600)
        #expect(credentials.identity.serial.count == 32)
        #expect(!"\(credentials) \(String(reflecting: credentials))".contains("PRIVATE"))
    }
}
