import Identity
import Synchronization
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Enrolment", .timeLimit(.minutes(2)))
struct EnrolmentTests {
    /// Signs for whoever knows the secret.
    private final class Registrar: EnrolmentHandler {
        let authority: TestAuthority
        let requests = Mutex<[Enrol]>([])
        let delay: Duration

        init(_ authority: TestAuthority, delay: Duration = .zero) {
            self.authority = authority
            self.delay = delay
        }

        func enrol(_ request: Enrol, from address: String) async throws(RemoteFailure) -> Enrolled {
            requests.withLock { $0.append(request) }
            do {
                try await Task.sleep(for: delay)
                guard request.secret == "s3cret", address == "127.0.0.1" else {
                    throw IdentityError(.tokenRefused, "the token \(request.tokenID) is not good")
                }
                let chain = try authority.authority.issue(
                    request: request.certificateRequest, role: .node, name: request.node, lifetimeSeconds: 3600,
                    now: TestAuthority.now)
                return Enrolled(certificates: chain.ders, revokedSerials: ["0a0b"])
            } catch {
                throw RemoteFailure(code: RemoteFailure.Code.forbidden, message: "\(error)")
            }
        }

        var count: Int { requests.withLock { $0.count } }
    }

    private static func request(_ key: PrivateKey, secret: String = "s3cret", node: String = "a") throws -> Enrol {
        Enrol(
            tokenID: "t1", secret: secret, certificateRequest: try key.request(commonName: node), role: "node",
            node: try #require(NodeID(node)))
    }

    private func withCoordinator(
        delay: Duration = .zero,
        _ body: (_ coordinator: TestProcess, _ port: Int, _ registrar: Registrar, _ loop: EventLoop) async throws ->
            Void
    ) async throws {
        let authority = try TestAuthority("ours")
        let registrar = Registrar(authority, delay: delay)
        let coordinator = try await TestProcess(
            "coordinator", role: .coordinator,
            credentials: try authority.credentials("coordinator", .coordinator), enrolment: registrar)
        let port = try coordinator.listen()
        let loop = try EventLoop(name: "enrolling")
        try await body(coordinator, port, registrar, loop)
        loop.stop()
        await coordinator.end()
    }

    @Test func aTokenIsTradedForACertificate() async throws {
        try await withCoordinator { coordinator, port, registrar, loop in
            let key = try PrivateKey.generate()
            let authority = registrar.authority.authority
            let request = try Self.request(key)
            let enrolled = try await ClusterActorSystem.enrol(
                host: "localhost", port: port, authority: authority.fingerprint, request: request, loop: loop)
            #expect(enrolled.revokedSerials == ["0a0b"])
            #expect(registrar.requests.withLock { $0 } == [request])
            let credentials = try Credentials(
                certificateChainPEM: try Certificates(ders: enrolled.certificates).pem(), privateKeyPEM: key.pem,
                authoritiesPEM: authority.certificatePEM)
            let a = try await TestProcess("a", credentials: credentials)
            #expect(try await a.system.connect(host: "127.0.0.1", port: port) == coordinator.system.identity)
            await a.end()
        }
    }

    @Test func refusalsSayWhy() async throws {
        try await withCoordinator { coordinator, port, registrar, loop in
            let key = try PrivateKey.generate()
            let refused = await error(TransportError.self) {
                try await ClusterActorSystem.enrol(
                    host: "127.0.0.1", port: port, authority: registrar.authority.authority.fingerprint,
                    request: try Self.request(key, secret: "guess"), loop: loop)
            }
            #expect(refused?.kind == .notAdmitted)
            #expect(refused?.message.contains("the token t1 is not good") == true, "\(refused?.message ?? "")")
            #expect(coordinator.events.isEmpty)
            let silent = try SilentListener(accepts: false)
            let nobody = await error(TransportError.self) {
                try await ClusterActorSystem.enrol(
                    host: "127.0.0.1", port: silent.port, authority: registrar.authority.authority.fingerprint,
                    request: try Self.request(key), loop: loop)
            }
            #expect(nobody?.kind == .refused)
        }
    }

    /// Whoever does not prove to be the coordinator of the right cluster never sees the secret.
    @Test func theSecretIsForTheCoordinatorAlone() async throws {
        try await withCoordinator { _, port, registrar, loop in
            let request = try Self.request(try PrivateKey.generate())
            let strange = await error(TransportError.self) {
                try await ClusterActorSystem.enrol(
                    host: "127.0.0.1", port: port, authority: try TestAuthority("ours").authority.fingerprint,
                    request: request, loop: loop)
            }
            #expect(strange?.kind == .untrusted)
            #expect(strange?.message.contains("the token is another cluster's, or somebody stands between") == true)
            // A node of the cluster that was taken over.
            let node = try await TestProcess(
                "node", credentials: try registrar.authority.credentials("node"), enrolment: registrar)
            let nodePort = try node.listen()
            let impostor = await error(TransportError.self) {
                try await ClusterActorSystem.enrol(
                    host: "127.0.0.1", port: nodePort, authority: registrar.authority.authority.fingerprint,
                    request: request, loop: loop)
            }
            #expect(impostor?.kind == .untrusted)
            #expect(impostor?.message.contains("not the coordinator") == true)
            let plain = try await TestProcess("plain", mode: .plain)
            let plainPort = try plain.listen()
            let unencrypted = await error(TransportError.self) {
                try await ClusterActorSystem.enrol(
                    host: "127.0.0.1", port: plainPort, authority: registrar.authority.authority.fingerprint,
                    request: request, loop: loop)
            }
            #expect(unencrypted?.kind == .untrusted)
            #expect(registrar.count == 0)
            await node.end()
            await plain.end()
        }
    }

    @Test func withoutAHandlerItIsSaidSo() async throws {
        let authority = try TestAuthority("ours")
        let coordinator = try await TestProcess(
            "coordinator", role: .coordinator, credentials: try authority.credentials("coordinator", .coordinator))
        let port = try coordinator.listen()
        let refused = await error(TransportError.self) {
            try await ClusterActorSystem.enrol(
                host: "127.0.0.1", port: port, authority: authority.authority.fingerprint,
                request: try Self.request(try PrivateKey.generate()), loop: coordinator.loop)
        }
        #expect(refused?.kind == .notAdmitted)
        #expect(refused?.message.contains("gives out no certificates") == true)
        await coordinator.end()
    }

    @Test func framesThatDoNotBelongThere() async throws {
        try await withCoordinator { coordinator, port, registrar, _ in
            let enrolment = ["shardline-enrol/1"]
            let request = try Self.request(try PrivateKey.generate())
            let hello = Hello(
                node: try #require(NodeID("a")), incarnation: Incarnation(77), role: "node", lane: .control, link: 5)
            let frames: [(tls: RawTLS, bytes: [UInt8])] = [
                // Not admitted by the way of those who have no certificate.
                (
                    try RawTLS(nil as Credentials?, protocols: enrolment),
                    RawLane.frame(.hello, control: try hello.encodeControl(), incarnation: 77)
                ),
                (
                    try RawTLS(try registrar.authority.credentials("a"), protocols: enrolment),
                    RawLane.frame(.hello, control: try hello.encodeControl(), incarnation: 77)
                ),
                (
                    try RawTLS(try registrar.authority.credentials("a")),
                    RawLane.frame(.enrol, control: try request.encodeControl(), incarnation: 0)
                ),
                (
                    try RawTLS(nil as Credentials?, protocols: enrolment),
                    RawLane.frame(.enrol, control: [0xFF], incarnation: 0)
                ),
                (
                    try RawTLS(nil as Credentials?, protocols: enrolment),
                    RawLane.frame(.enrol, control: try request.encodeControl(), incarnation: 0) {
                        $0.controlByteCount = 8193
                    }
                ),
                (try RawTLS(try registrar.authority.credentials("a"), protocols: ["http/1.1"]), [1, 2, 3]),
                (try RawTLS(try registrar.authority.credentials("a"), protocols: []), [1, 2, 3]),
            ]
            for (tls, bytes) in frames {
                let raw = try RawLane(port: port, tls: tls)
                try await raw.write(bytes)
                #expect(try await raw.isEnded(within: 10))
            }
            #expect(registrar.count == 0 && coordinator.events.isEmpty)
        }
    }

    @Test func whoGoesWhileItIsDecidedDoesNoHarm() async throws {
        try await withCoordinator(delay: .milliseconds(300)) { coordinator, port, registrar, loop in
            let request = try Self.request(try PrivateKey.generate())
            let raw = try RawLane(port: port, tls: RawTLS(nil as Credentials?, protocols: ["shardline-enrol/1"]))
            try await raw.write(.enrol, control: try request.encodeControl(), incarnation: 0)
            try await eventually("it is asked") { registrar.count == 1 }
            raw.hangUp()
            let authority = registrar.authority.authority.fingerprint
            let cancelled = Task {
                try await ClusterActorSystem.enrol(
                    host: "127.0.0.1", port: port, authority: authority, request: request, loop: loop)
            }
            try await eventually("it is asked again") { registrar.count == 2 }
            cancelled.cancel()
            await #expect(throws: TransportError.self) { try await cancelled.value }
            let enrolled = try await ClusterActorSystem.enrol(
                host: "127.0.0.1", port: port, authority: authority, request: request, loop: loop)
            #expect(enrolled.certificates.count == 2)
            #expect(coordinator.events.isEmpty)
        }
    }
}
