import Foundation
import Identity
import Testing
import Vocabulary

@Suite struct IssuingTests {
    /// What this code makes, openssl's own command line reads and verifies.
    @Test(arguments: CertifiedRole.allCases)
    func opensslAgrees(role: CertifiedRole) throws {
        let folder = try TestFolder()
        let authority = try Sample.authority(cluster: "my-cluster.example")
        let credentials = try Sample.credentials(
            authority, role: role, name: role == .coordinator ? "coordinator" : "a.B-9_z")
        let chain = try Certificates(pem: credentials.certificateChainPEM, what: "chain")
        try folder.write(authority.certificatePEM, to: "ca.pem")
        try folder.write(credentials.certificateChainPEM, to: "chain.pem")
        try folder.write(credentials.privateKeyPEM, to: "key.pem")

        let purposes = role == .operator ? ["sslclient"] : ["sslclient", "sslserver"]
        for purpose in purposes {
            let output = try OpenSSL.expect(
                ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", "chain.pem"], in: folder)
            #expect(output.contains("chain.pem: OK"))
        }
        if role == .operator {
            let run = try OpenSSL.run(
                ["verify", "-purpose", "sslserver", "-CAfile", "ca.pem", "chain.pem"], in: folder)
            #expect(run.status != 0)
        }
        let text = try OpenSSL.expect(["x509", "-in", "chain.pem", "-noout", "-text"], in: folder)
        #expect(text.contains("URI:\(credentials.identity.uri)"))
        #expect(text.contains("CA:FALSE") && text.contains("Digital Signature") && text.contains("prime256v1"))
        #expect(text.contains("ecdsa-with-SHA256") && text.contains("Version: 3"))
        let serial = try OpenSSL.expect(["x509", "-in", "chain.pem", "-noout", "-serial"], in: folder)
        #expect(serial.lowercased() == "serial=\(credentials.identity.serial)\n")
        let end = try OpenSSL.expect(
            ["x509", "-in", "chain.pem", "-noout", "-enddate", "-dateopt", "iso_8601"], in: folder)
        #expect(end.contains(UnixTime.text(credentials.identity.notAfter).dropLast(4)))
        // The key is the certificate's, and OpenSSL can sign with it.
        let own = try OpenSSL.expect(["pkey", "-in", "key.pem", "-pubout"], in: folder)
        #expect(try OpenSSL.expect(["x509", "-in", "chain.pem", "-noout", "-pubkey"], in: folder) == own)
        #expect(chain.ders.count == 2)
    }

    @Test func theFingerprintIsOpenSSLs() throws {
        let folder = try TestFolder()
        let authority = try Sample.authority()
        try folder.write(authority.certificatePEM, to: "ca.pem")
        let output = try OpenSSL.expect(
            ["x509", "-in", "ca.pem", "-noout", "-fingerprint", "-sha256"], in: folder)
        let digits = output.split(separator: "=").last?.replacing(":", with: "").lowercased()
        #expect(digits == "\(authority.fingerprint)\n")
        #expect(AuthorityFingerprint("\(authority.fingerprint)") == authority.fingerprint)
        #expect(AuthorityFingerprint("\(authority.fingerprint)0") == nil)
        #expect(AuthorityFingerprint(String(repeating: "g", count: 64)) == nil)
        let text = try OpenSSL.expect(["x509", "-in", "ca.pem", "-noout", "-text"], in: folder)
        #expect(text.contains("CA:TRUE, pathlen:0") && text.contains("URI:spiffe://test"))
        #expect(
            try OpenSSL.expect(["verify", "-x509_strict", "-CAfile", "ca.pem", "ca.pem"], in: folder).contains("OK"))
    }

    @Test func ourRequestsAreOpenSSLs() throws {
        let folder = try TestFolder()
        let request = try PrivateKey.generate().request(commonName: "node")
        try Data(request).write(to: URL(fileURLWithPath: folder.path("request.der")))
        let run = try OpenSSL.run(["req", "-inform", "DER", "-in", "request.der", "-noout", "-verify"], in: folder)
        #expect(run.status == 0 && (run.errors + run.output).contains("verify OK"))
    }

    /// Only the key is taken from a request: what else its maker wishes for is not given.
    @Test func wishesInARequestAreNotGranted() throws {
        let folder = try TestFolder()
        _ = try OpenSSL.expect(
            ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"]
                + [
                    "-outform", "DER", "-out", "request.der", "-subj", "/CN=evil", "-addext",
                    "basicConstraints=CA:TRUE",
                ]
                + ["-addext", "subjectAltName=URI:spiffe://test/operator/root"], in: folder)
        let authority = try Sample.authority()
        let request = Array(try Data(contentsOf: URL(fileURLWithPath: folder.path("request.der"))))
        let chain = try authority.issue(
            request: request, role: .node, name: try Sample.name("a"), lifetimeSeconds: 60, now: UnixTime.now)
        #expect(try chain.identity().uri == "spiffe://test/node/a")
        try folder.write(try Certificates(ders: [chain.ders[0]]).pem(), to: "leaf.pem")
        let text = try OpenSSL.expect(["x509", "-in", "leaf.pem", "-noout", "-text"], in: folder)
        #expect(text.contains("CA:FALSE") && !text.contains("evil") && !text.contains("root"))
    }

    @Test(arguments: [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], ["ed25519"]])
    func otherKeysAreRefused(key: [String]) throws {
        let folder = try TestFolder()
        _ = try OpenSSL.expect(
            ["req", "-newkey"] + key + ["-nodes", "-keyout", "key.pem", "-outform", "DER", "-out", "request.der"]
                + ["-subj", "/CN=x"], in: folder)
        let request = Array(try Data(contentsOf: URL(fileURLWithPath: folder.path("request.der"))))
        Sample.expect(.malformed, "P-256") {
            _ = try Sample.authority().issue(
                request: request, role: .node, name: try Sample.name("a"), lifetimeSeconds: 60, now: UnixTime.now)
        }
    }

    @Test func damagedRequestsAreRefused() throws {
        let authority = try Sample.authority()
        let request = try Sample.request()
        func issue(_ request: [UInt8]) throws {
            _ = try authority.issue(
                request: request, role: .node, name: try Sample.name("a"), lifetimeSeconds: 60, now: UnixTime.now)
        }
        try issue(request)
        // The signature covers every byte of the rest, so any flipped bit is seen.
        for index in request.indices {
            var damaged = request
            damaged[index] ^= 1 << UInt8(index % 8)
            Sample.expect(.malformed, "certificate request") { try issue(damaged) }
        }
        for count in [0, 1, request.count / 2, request.count - 1] {
            Sample.expect(.malformed) { try issue(Array(request.prefix(count))) }
        }
        Sample.expect(.malformed) { try issue(request + [0]) }
        Sample.expect(.malformed, "too long") { try issue([UInt8](repeating: 0x30, count: 20_000)) }
    }

    @Test func timesAndSerials() throws {
        let now = UnixTime.now
        let authority = try CertificateAuthority.create(cluster: "test", now: now)
        var serials: Set<String> = []
        for _ in 0..<200 {
            let identity = try authority.issue(
                request: try Sample.request(), role: .node, name: try Sample.name("a"), lifetimeSeconds: 7, now: now
            ).identity()
            serials.insert(identity.serial)
            #expect(identity.notAfter == now + 7 && identity.notBefore == now - 300)
            #expect(identity.isValid(at: now + 7) && !identity.isValid(at: now + 8) && !identity.isValid(at: now - 301))
        }
        #expect(serials.count == 200 && serials.allSatisfy { $0.count == 32 })
        // Never beyond the authority's own end, and not at all after it.
        let last = try authority.issue(
            request: try Sample.request(), role: .node, name: try Sample.name("a"), lifetimeSeconds: 1 << 40, now: now)
        #expect(try last.identity().notAfter == authority.notAfter)
        Sample.expect(.expired, "authority") {
            _ = try authority.issue(
                request: try Sample.request(), role: .node, name: try Sample.name("a"), lifetimeSeconds: 9,
                now: authority.notAfter)
        }
    }

    @Test(arguments: ["", "Upper", "a/b", "a b", "ü", String(repeating: "a", count: 256)])
    func badClusterNames(cluster: String) {
        Sample.expect(.malformed, "cluster") { _ = try Sample.authority(cluster: cluster) }
    }
}
