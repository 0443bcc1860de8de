import Foundation
import Identity
import Testing
import Vocabulary

@Suite struct CredentialsTests {
    @Test func theKeyIsNeverPrinted() throws {
        let credentials = try Sample.credentials(try Sample.authority())
        let secret = try #require(credentials.privateKeyPEM.split(separator: "\n").dropFirst().first)
        var dumped = ""
        dump(credentials, to: &dumped)
        dump(try PrivateKey.generate(), to: &dumped)
        let token = JoinToken(authority: try Sample.authority().fingerprint)
        var dumpedToken = ""
        dump(token, to: &dumpedToken)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(!text.contains(secret) && !text.contains("PRIVATE"))
            #expect(!text.contains("pem:"))
        }
        for text in ["\(token)", String(reflecting: token), dumpedToken] { #expect(!text.contains(token.secret)) }
    }

    @Test func aWrongKeyIsNamed() throws {
        let authority = try Sample.authority()
        let one = try Sample.credentials(authority)
        Sample.expect(.wrongKey, "another certificate") {
            _ = try Credentials(
                certificateChainPEM: one.certificateChainPEM, privateKeyPEM: PrivateKey.generate().pem,
                authoritiesPEM: authority.certificatePEM)
        }
        Sample.expect(.wrongKey, "private key") {
            _ = try Credentials(
                certificateChainPEM: one.certificateChainPEM, privateKeyPEM: one.certificateChainPEM,
                authoritiesPEM: authority.certificatePEM)
        }
    }

    @Test func anEncryptedKeyIsNamed() throws {
        let folder = try TestFolder()
        let credentials = try Sample.credentials(try Sample.authority())
        try folder.write(credentials.privateKeyPEM, to: "key.pem")
        let encrypted = try OpenSSL.expect(
            ["pkcs8", "-topk8", "-in", "key.pem", "-passout", "pass:secret"], in: folder)
        Sample.expect(.wrongKey, "passphrase") {
            _ = try Credentials(
                certificateChainPEM: credentials.certificateChainPEM, privateKeyPEM: encrypted,
                authoritiesPEM: credentials.authoritiesPEM)
        }
    }

    @Test func anotherAuthorityIsNotTrusted() throws {
        let (mine, other) = (try Sample.authority(), try Sample.authority())
        let credentials = try Sample.credentials(mine)
        Sample.expect(.untrusted, "authority") {
            _ = try Credentials(
                certificateChainPEM: credentials.certificateChainPEM, privateKeyPEM: credentials.privateKeyPEM,
                authoritiesPEM: other.certificatePEM)
        }
        // Both may be trusted while one takes over from the other.
        _ = try Credentials(
            certificateChainPEM: credentials.certificateChainPEM, privateKeyPEM: credentials.privateKeyPEM,
            authoritiesPEM: other.certificatePEM + mine.certificatePEM)
        // A member's certificate is no authority, whatever list it is put into.
        Sample.expect(.malformed, "may not sign") {
            _ = try Credentials(
                certificateChainPEM: credentials.certificateChainPEM, privateKeyPEM: credentials.privateKeyPEM,
                authoritiesPEM: credentials.certificateChainPEM)
        }
    }

    /// A member signs for somebody else: no chain of it is trusted.
    @Test func aMemberCannotSign() throws {
        let folder = try TestFolder()
        let authority = try Sample.authority()
        let member = try Sample.credentials(authority)
        try folder.write(
            try Certificates(ders: [Certificates(pem: member.certificateChainPEM, what: "").ders[0]]).pem(),
            to: "member.pem")
        try folder.write(member.privateKeyPEM, to: "member.key")
        try folder.write("subjectAltName=URI:spiffe://test/operator/evil\n", to: "leaf.ext")
        _ = try OpenSSL.expect(
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out"]
                + ["leaf.csr", "-subj", "/CN=evil"], in: folder)
        _ = try OpenSSL.expect(
            ["x509", "-req", "-in", "leaf.csr", "-CA", "member.pem", "-CAkey", "member.key", "-CAcreateserial"]
                + ["-extfile", "leaf.ext", "-out", "leaf.pem"], in: folder)
        Sample.expect(.untrusted) {
            _ = try Credentials(
                certificateChainPEM: try folder.text("leaf.pem") + member.certificateChainPEM,
                privateKeyPEM: try folder.text("leaf.key"), authoritiesPEM: authority.certificatePEM)
        }
    }

    @Test func anExpiredCertificateStillSaysWhoseItIs() throws {
        let past = UnixTime.now - 7200
        let authority = try CertificateAuthority.create(cluster: "test", now: past)
        let credentials = try Sample.credentials(authority, lifetimeSeconds: 60, now: past)
        #expect(!credentials.identity.isValid(at: UnixTime.now))
        let chain = try Certificates(pem: credentials.certificateChainPEM, what: "chain")
        let trusted = try Certificates(pem: authority.certificatePEM, what: "authority")
        try chain.verify(against: trusted)
        try chain.verify(against: trusted, at: past + 30)
        Sample.expect(.untrusted, "expired") { try chain.verify(against: trusted, at: UnixTime.now) }
        Sample.expect(.untrusted, "not yet valid") { try chain.verify(against: trusted, at: past - 400) }
    }

    @Test func revokedCredentialsAreRefused() throws {
        let credentials = try Sample.credentials(try Sample.authority())
        Sample.expect(.untrusted, "revoked", credentials.identity.serial) {
            _ = try Credentials(
                certificateChainPEM: credentials.certificateChainPEM, privateKeyPEM: credentials.privateKeyPEM,
                authoritiesPEM: credentials.authoritiesPEM, revokedSerials: [credentials.identity.serial])
        }
        #expect(credentials.revoking(["ab"]).revokedSerials == ["ab"])
    }

    // MARK: - Certificates of an organisation's own authority

    private func foreign(_ folder: TestFolder) throws -> Credentials {
        try Credentials(
            certificateChainPEM: try folder.text("leaf.pem"), privateKeyPEM: try folder.text("leaf.key"),
            authoritiesPEM: try folder.text("ca.pem"))
    }

    @Test(arguments: [
        "URI:spiffe://corp.example/node/node-1",
        "URI:spiffe://corp.example/node/node-1,DNS:node-1.corp.example,IP:10.0.0.7",
        "DNS:*.corp.example,URI:spiffe://corp.example/node/node-1",
    ])
    func anOrganisationsCertificatesServe(names: String) throws {
        let folder = try TestFolder()
        try OpenSSL.makeForeign(names: names, in: folder)
        let identity = try foreign(folder).identity
        #expect(identity.cluster == "corp.example" && identity.role == .node && identity.name.name == "node-1")
        let serial = try OpenSSL.expect(["x509", "-in", "leaf.pem", "-noout", "-serial"], in: folder)
        #expect(serial.lowercased() == "serial=\(identity.serial)\n")
    }

    @Test func anRSAKeyServesToo() throws {
        let folder = try TestFolder()
        try OpenSSL.makeForeign(names: "URI:spiffe://corp/node/a", key: ["rsa:2048"], in: folder)
        #expect(try foreign(folder).identity.name.name == "a")
    }

    @Test(arguments: [
        ("", "0 URIs"), ("DNS:node-1", "0 URIs"),
        ("URI:spiffe://c/node/a,URI:spiffe://c/operator/b", "2 URIs"),
        ("URI:https://c/node/a", "https://c/node/a"), ("URI:spiffe://c/node", "spiffe://c/node"),
        ("URI:spiffe://c/node/a/b", "not spiffe"), ("URI:spiffe://c/node/", "not spiffe"),
        ("URI:spiffe:///node/a", "not spiffe"), ("URI:spiffe://C/node/a", "not spiffe"),
        ("URI:SPIFFE://c/node/a", "not spiffe"), ("URI:spiffe://c/Node/a", "not spiffe"),
        ("URI:spiffe://c/admin/a", "not spiffe"), ("URI:spiffe://c/node/a%2Fb", "not spiffe"),
        ("URI:spiffe://c:443/node/a", "not spiffe"), ("URI:spiffe://c/node/a?x", "not spiffe"),
        ("URI:spiffe://u@c/node/a", "not spiffe"),
        ("URI:spiffe://c/node/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "not spiffe"),
    ])
    func otherNamesAreRefused(names: String, word: String) throws {
        let folder = try TestFolder()
        try OpenSSL.makeForeign(names: names, in: folder)
        Sample.expect(.noIdentity, word) { _ = try foreign(folder) }
    }

    @Test func aCertificateForServersAloneIsRefused() throws {
        let folder = try TestFolder()
        try OpenSSL.makeForeign(names: "URI:spiffe://c/node/a", usage: "serverAuth", in: folder)
        Sample.expect(.malformed, "extended key usage") { _ = try foreign(folder) }
    }

    @Test func texts() throws {
        Sample.expect(.malformed, "the chain", "no certificate") { _ = try Certificates(pem: "", what: "the chain") }
        let pem = try Sample.authority().certificatePEM
        #expect(try Certificates(pem: "words\n" + pem + "more\n" + pem, what: "x").ders.count == 2)
        Sample.expect(.malformed, "cannot be read") {
            _ = try Certificates(pem: pem.replacing("MII", with: "MI!"), what: "x")
        }
        Sample.expect(.malformed, "more than 64") {
            _ = try Certificates(pem: String(repeating: pem, count: 65), what: "x")
        }
        Sample.expect(.malformed, "longer") {
            _ = try Certificates(pem: String(repeating: "x", count: Certificates.byteCountMax + 1), what: "x")
        }
    }

    @Test func bundles() throws {
        let credentials = try Sample.credentials(try Sample.authority())
        let text = CredentialsBundle.text(credentials)
        #expect(try CredentialsBundle.parse(text, what: "f") == credentials)
        for damaged in [
            "", "x", String(text.dropLast(40)), text + text, text.replacing("BEGIN PRIVATE", with: "BEGUN PRIVATE"),
        ] {
            do {
                _ = try CredentialsBundle.parse(damaged, what: "some-file.pem")
                Issue.record("taken: \(damaged.prefix(30))")
            } catch {
                #expect(error.message.contains("some-file.pem"), "\(error)")
            }
        }
    }
}
