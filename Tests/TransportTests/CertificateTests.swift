import Identity
import Testing
import Transport
import Vocabulary
import Wire

/// Who is admitted with which certificate. What is refused is refused in words that tell the reason, at both ends.
@Suite("Certificates", .timeLimit(.minutes(2)))
struct CertificateTests {
    /// A process that listens, with a proper peer beside it whose calls go on.
    private func withVictim(
        _ body: (_ victim: TestProcess, _ port: Int, _ authority: TestAuthority) async throws -> Void
    ) async throws {
        let authority = try TestAuthority("ours")
        let revoked = try authority.credentials("raw")
        let other = try TestAuthority("theirs")
        let victim = try await TestProcess(
            "victim",
            credentials: try authority.credentials("victim", others: [other], revoked: [revoked.identity.serial]))
        let friend = try await TestProcess("friend", credentials: try authority.credentials("friend"))
        let port = try victim.listen()
        try await friend.system.connect(host: "127.0.0.1", port: port, expecting: victim.node)
        try await body(victim, port, authority)
        #expect(try await friend.echo(of: victim.node).echo(TestValue(8)).number == 8)
        #expect(friend.events.count == 1 && victim.events.count == 1)
        await friend.end()
        await victim.end()
    }

    private func refusal(
        _ tls: RawTLS, port: Int, node: String = "raw", role: String = "node"
    ) async throws -> RemoteFailure {
        let raw = try RawLane(port: port, tls: tls)
        let hello = Hello(
            node: try #require(NodeID(node)), incarnation: Incarnation(77), role: role, lane: .control, link: 5)
        try await raw.write(.hello, control: try hello.encodeControl(), incarnation: 77)
        let frame = try #require(try await raw.readFrame(), "closed without a word")
        #expect(frame.header.kind == .refuse)
        #expect(try await raw.isEnded(within: 10))
        return try frame.control.withUnsafeBytes { try RemoteFailure(control: $0, stamp: .none, bulk: nil) }
    }

    private func expectRefusal(
        _ tls: RawTLS, port: Int, node: String = "raw", role: String = "node", because text: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let failure = try await refusal(tls, port: port, node: node, role: role)
        #expect(failure.code == RemoteFailure.Code.forbidden, sourceLocation: sourceLocation)
        #expect(failure.message.contains(text), "\(failure.message)", sourceLocation: sourceLocation)
    }

    @Test func strangersAreRefused() async throws {
        try await withVictim { _, port, authority in
            let stranger = try TestAuthority("ours")
            try await expectRefusal(
                RawTLS(try stranger.credentials("raw")), port: port,
                because: "signed by no authority that is trusted here")
            try await expectRefusal(
                RawTLS(try authority.credentials("raw", begin: -10_000, lifetimeSeconds: 5000)), port: port,
                because: "it could not renew; enrol it again with a token")
            try await expectRefusal(
                RawTLS(try authority.credentials("raw", begin: 10_000)), port: port, because: "compare the clocks")
            // The authority itself is nobody, and an operator no node.
            try await expectRefusal(
                RawTLS(shown: (authority.authority.certificatePEM, authority.authority.key.pem)), port: port,
                because: "certificate")
            try await expectRefusal(
                RawTLS(nil as Credentials?), port: port, because: "no certificate was shown")
        }
    }

    @Test func othersOfTheSameAuthoritiesAreRefused() async throws {
        let authority = try TestAuthority("ours")
        let theirs = try TestAuthority("theirs")
        let revoked = try authority.credentials("raw")
        let victim = try await TestProcess(
            "victim",
            credentials: try authority.credentials("victim", others: [theirs], revoked: [revoked.identity.serial]))
        let port = try victim.listen()
        try await expectRefusal(RawTLS(revoked), port: port, because: "is revoked")
        try await expectRefusal(
            RawTLS(try theirs.credentials("raw")), port: port, because: "of the cluster theirs, not of ours")
        #expect(victim.events.isEmpty)
        await victim.end()
    }

    @Test func nobodySpeaksForAnother() async throws {
        try await withVictim { _, port, authority in
            let node = try authority.credentials("raw")
            let anOperator = try authority.credentials("raw", .operator)
            try await expectRefusal(RawTLS(node), port: port, node: "friend", because: "nobody speaks for another")
            try await expectRefusal(RawTLS(node), port: port, role: "coordinator", because: "nobody speaks for another")
            try await expectRefusal(RawTLS(node), port: port, role: "operator", because: "nobody speaks for another")
            try await expectRefusal(RawTLS(anOperator), port: port, role: "node", because: "nobody speaks for another")
            // Nor on a lane of a set that is another's.
            let control = try RawLane(port: port, tls: RawTLS(node))
            func hello(_ lane: Lane) throws -> [UInt8] {
                try Hello(
                    node: try #require(NodeID("raw")), incarnation: Incarnation(77), role: "node", lane: lane, link: 5
                ).encodeControl()
            }
            try await control.write(.hello, control: try hello(.control), incarnation: 77)
            #expect(try await control.readFrame()?.header.kind == .welcome)
            let bulk = try RawLane(port: port, tls: RawTLS(try authority.credentials("other")))
            try await bulk.write(.hello, control: try hello(.bulk), incarnation: 77)
            #expect(try await bulk.readFrame()?.header.kind == .refuse)
            control.hangUp()
        }
    }

    @Test func whoIsConnectedToMustProveItToo() async throws {
        let authority = try TestAuthority("ours")
        let theirs = try TestAuthority("theirs")
        let revoked = try authority.credentials("b")
        let a = try await TestProcess(
            "a", credentials: try authority.credentials("a", others: [theirs], revoked: [revoked.identity.serial]))
        let cases: [(credentials: Credentials, text: String)] = [
            (try TestAuthority("ours").credentials("b"), "signed by no authority that is trusted here"),
            (try authority.credentials("b", begin: -10_000, lifetimeSeconds: 5000), "enrol it again with a token"),
            (try authority.credentials("b", begin: 10_000), "compare the clocks"),
            (revoked, "is revoked"),
            (try theirs.credentials("b"), "of the cluster theirs, not of ours"),
        ]
        for (credentials, text) in cases {
            let b = try await TestProcess("b", credentials: credentials)
            let port = try b.listen()
            let refusal = await error(TransportError.self) {
                try await a.system.connect(host: "127.0.0.1", port: port)
            }
            #expect(refusal?.kind == .untrusted)
            #expect(refusal?.message.contains(text) == true, "\(refusal?.message ?? "")")
            #expect(refusal?.message.contains("127.0.0.1:\(port)") == true)
            #expect(b.events.isEmpty)
            await b.end()
        }
        // A certificate for clients alone.
        let anOperator = try await TestProcess(
            "b", role: .operator, credentials: try authority.credentials("b", .operator))
        let port = try anOperator.listen()
        let refusal = await error(TransportError.self) { try await a.system.connect(host: "127.0.0.1", port: port) }
        #expect(refusal?.kind == .untrusted)
        #expect(refusal?.message.contains("not for TLS servers") == true)
        #expect(a.events.isEmpty)
        await anOperator.end()
        await a.end()
    }

    @Test func whoSaysItIsAnotherIsNotTaken() async throws {
        let authority = try TestAuthority("ours")
        let a = try await TestProcess("a", credentials: try authority.credentials("a"))
        let b = try await TestProcess("b", credentials: try authority.credentials("b"))
        let port = try b.listen()
        let meant = await error(TransportError.self) {
            try await a.system.connect(host: "127.0.0.1", port: port, expecting: NodeID("c"))
        }
        #expect(meant?.kind == .wrongPeer)
        // It shows c's certificate and says it is b.
        b.security?.replace(try authority.credentials("c"))
        let refusal = await error(TransportError.self) { try await a.system.connect(host: "127.0.0.1", port: port) }
        #expect(refusal?.kind == .wrongPeer)
        #expect(refusal?.message.contains("shows the certificate of node 'c'") == true)
        #expect(a.events.isEmpty && b.events.isEmpty)
        await a.end()
        await b.end()
    }

    @Test func theOwnCertificateIsLookedAtFirst() async throws {
        let authority = try TestAuthority("ours")
        let another = try await TestProcess("a", credentials: try authority.credentials("b"))
        let listening = #expect(throws: TransportError.self) { try another.listen() }
        #expect(listening?.kind == .untrusted)
        #expect(listening?.message.contains("its certificate is that of node 'b'") == true)
        let expired = try await TestProcess(
            "a", credentials: try authority.credentials("a", begin: -10_000, lifetimeSeconds: 5000))
        let connecting = await error(TransportError.self) {
            try await expired.system.connect(host: "127.0.0.1", port: 4000)
        }
        #expect(connecting?.kind == .untrusted)
        #expect(connecting?.message.contains("enrol it again with a token") == true)
        await another.end()
        await expired.end()
    }

    @Test func oneEndInPlainText() async throws {
        let encrypted = try await TestProcess("encrypted", mode: .encrypted)
        let plain = try await TestProcess("plain", mode: .plain)
        let (encryptedPort, plainPort) = (try encrypted.listen(), try plain.listen())
        let first = await error(TransportError.self) {
            try await plain.system.connect(host: "127.0.0.1", port: encryptedPort)
        }
        #expect(first?.kind == .notAdmitted)
        #expect(first?.message.contains("does it speak TLS") == true)
        let second = await error(TransportError.self) {
            try await encrypted.system.connect(host: "127.0.0.1", port: plainPort)
        }
        #expect(second?.kind == .untrusted)
        #expect(second?.message.contains("does it speak plain text") == true)
        #expect(plain.events.isEmpty && encrypted.events.isEmpty)
        await plain.end()
        await encrypted.end()
    }

    // MARK: While it runs

    @Test func rotationNeedsNoRestart() async throws {
        let (old, new) = (try TestAuthority("ours"), try TestAuthority("ours"))
        let a = try await TestProcess("a", credentials: try old.credentials("a", others: [new]))
        let b = try await TestProcess("b", credentials: try old.credentials("b", others: [new]))
        let port = try b.listen()
        try await a.system.connect(host: "127.0.0.1", port: port)
        let modern = try await TestProcess("modern", credentials: try new.credentials("modern"))
        let early = await error(TransportError.self) { try await modern.system.connect(host: "127.0.0.1", port: port) }
        #expect(early?.kind == .untrusted)
        let rotated = try new.credentials("b", others: [old])
        b.security?.replace(rotated)
        #expect(b.security?.credentials == rotated)
        #expect(try await modern.system.connect(host: "127.0.0.1", port: port) == b.system.identity)
        // The lanes that are up stay so.
        #expect(try await a.echo(of: b.node).echo(TestValue(1)).number == 1)
        #expect(a.events.count == 1)
        for process in [a, b, modern] { await process.end() }
    }

    @Test func revokedPeersAreDroppedAtOnce() async throws {
        let authority = try TestAuthority("ours")
        let (own, bad) = (try authority.credentials("b"), try authority.credentials("bad"))
        let b = try await TestProcess("b", credentials: own)
        let port = try b.listen()
        let good = try await TestProcess("good", credentials: try authority.credentials("good"))
        let dropped = try await TestProcess("bad", credentials: bad)
        for process in [good, dropped] { try await process.system.connect(host: "127.0.0.1", port: port) }
        let echo = try dropped.echo(of: b.node)
        let waiting = Task { await error(TransportError.self) { try await echo.wait(TestValue(60_000)) } }
        // Half of a set as well.
        let half = try RawLane(port: port, tls: RawTLS(try authority.credentials("half")))
        try await eventually("the call runs") { b.notebook.allWords == ["begun"] }
        b.security?.replace(own.revoking([bad.identity.serial]))
        #expect(await waiting.value?.message.contains("is revoked") == true)
        try await eventually("both know") { dropped.lostReasons.count == 1 && b.lostReasons.count == 1 }
        #expect(b.lostReasons.first?.contains("is revoked") == true)
        #expect(try await good.echo(of: b.node).echo(TestValue(1)).number == 1)
        let again = await error(TransportError.self) {
            try await dropped.system.connect(host: "127.0.0.1", port: port)
        }
        #expect(again?.kind == .notAdmitted)
        #expect(again?.message.contains("is revoked") == true)
        half.hangUp()
        for process in [b, good, dropped] { await process.end() }
    }
}
