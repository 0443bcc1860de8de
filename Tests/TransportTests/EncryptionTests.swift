import CPlatform
import Identity
import Memory
import Testing
import Transport
import Vocabulary
import Wire

/// What an encrypted stream must do beyond what a plain one does.
@Suite("Encryption", .timeLimit(.minutes(2)))
struct EncryptionTests {
    private func withEncryptedPair(
        recordsPerKey: Int = 1 << 23, _ body: (_ a: TestProcess, _ b: TestProcess) async throws -> Void
    ) async throws {
        let authority = try TestAuthority("ours")
        func process(_ name: String) async throws -> TestProcess {
            let security = TransportSecurity(
                credentials: try authority.credentials(name), enrolment: nil, recordsPerKey: recordsPerKey)
            return try await TestProcess(name, mode: .plain) { $0.security = security }
        }
        let (a, b) = (try await process("a"), try await process("b"))
        try await a.system.connect(host: "127.0.0.1", port: try b.listen())
        try await body(a, b)
        #expect(a.events.count == 1 && b.events.count == 1)
        await a.end()
        await b.end()
    }

    @Test func nothingIsReadableOnTheWay() async throws {
        let listener = try SilentListener()
        let a = try await TestProcess("somebody", mode: .encrypted) { $0.connectTimeout = .seconds(10) }
        let attempt = Task { try? await a.system.connect(host: "127.0.0.1", port: listener.port) }
        let bytes = try await listener.firstBytes()
        // A TLS handshake record with a client hello, and no word of ours.
        #expect(bytes.count > 100 && bytes[0] == 22 && bytes[5] == 1)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("SHRD"))
        #expect(!String(decoding: bytes, as: UTF8.self).contains("somebody"))
        attempt.cancel()
        _ = await attempt.value
        await a.end()
    }

    /// Both ends write and read much at once, on one lane, so that encryption and decryption meet at the lock.
    @Test func bothDirectionsAtOnce() async throws {
        try await withEncryptedPair { a, b in
            let sent = try BufferSlice.pattern(3_000_001)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for (from, to) in [(a, b), (b, a)] {
                    let echo = try from.echo(of: to.node)
                    for number in 0..<20 as Range<UInt64> {
                        group.addTask {
                            let reply = try await echo.echoOnBulkLane(TestValue(number, payload: sent))
                            return reply.number == number && reply.payload?.isEqual(to: sent) == true
                        }
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func keysChangeOnTheWay() async throws {
        try await withEncryptedPair(recordsPerKey: 3) { a, b in
            let sent = try BufferSlice.pattern(200_000)
            for number in 0..<30 as Range<UInt64> {
                let there = try await a.echo(of: b.node).echo(TestValue(number, payload: sent))
                let back = try await b.echo(of: a.node).echo(TestValue(number))
                #expect(there.payload?.isEqual(to: sent) == true && back.number == number)
            }
        }
        // And at the other end's wish.
        let victim = try await TestProcess("victim", mode: .encrypted)
        let raw = try await RawPeer("raw", port: try victim.listen(), mode: .encrypted)
        for number in 1...20 as ClosedRange<UInt64> {
            raw.control.tls?.updateKey()
            try await raw.control.write(
                .call, control: try TestValue(number).encodeControl(), incarnation: raw.incarnation, method: 1,
                call: number, object: TestProcess.object)
            #expect(try await raw.control.readFrame()?.header.call == number)
        }
        #expect(victim.lostReasons.isEmpty)
        await victim.end()
    }

    @Test func recordsInPieces() async throws {
        let victim = try await TestProcess("victim", mode: .encrypted)
        let raw = try await RawPeer("raw", port: try victim.listen(), mode: .encrypted)
        let tls = try #require(raw.control.tls)
        let bulk = [UInt8](repeating: 5, count: 40_000)
        try tls.encrypt(
            RawLane.frame(
                .call, control: try TestValue(1).encodeControl(), bulk: bulk, incarnation: raw.incarnation, method: 1,
                call: 1, object: TestProcess.object))
        let ciphertext = tls.takeCiphertext()
        var start = 0
        while start < ciphertext.count {
            let end = min(ciphertext.count, start + (start < 300 ? 1 : 977))
            try await raw.control.send(Array(ciphertext[start..<end]))
            start = end
            try await Task.sleep(for: .microseconds(200))
        }
        #expect(try await raw.control.readFrame()?.bulk == bulk)
        await victim.end()
    }

    @Test func aChangedByteEndsTheConnection() async throws {
        // The lane could be made again; this peer does not.
        let victim = try await TestProcess("victim", mode: .encrypted) { $0.laneRemakeTimeout = .milliseconds(50) }
        let raw = try await RawPeer("raw", port: try victim.listen(), mode: .encrypted)
        let tls = try #require(raw.control.tls)
        // A good record before it, in the same bytes.
        try tls.encrypt(RawLane.frame(.ping, incarnation: raw.incarnation))
        var ciphertext = tls.takeCiphertext()
        try tls.encrypt(RawLane.frame(.ping, incarnation: raw.incarnation))
        ciphertext += tls.takeCiphertext()
        ciphertext[ciphertext.count - 20] ^= 1
        try await raw.control.send(ciphertext)
        try await eventually("it is lost") { victim.lostReasons.count == 1 }
        #expect(victim.lostReasons.first?.contains("control lane: the TLS stream is broken") == true)
        for lane in raw.lanes { #expect(try await lane.isEnded(within: 5)) }
        await victim.end()
    }

    @Test func anEndIsToldFromATruncation() async throws {
        let victim = try await TestProcess("victim", mode: .encrypted)
        let port = try victim.listen()
        let cutOff = try await RawPeer("raw", port: port, mode: .encrypted)
        cutOff.activations.hangUp()
        try await eventually("it is lost") { victim.lostReasons.count == 1 }
        #expect(victim.lostReasons.last?.contains("without the end of its encrypted stream") == true)
        let proper = try await RawPeer("raw", port: port, incarnation: 78, mode: .encrypted)
        let tls = try #require(proper.activations.tls)
        tls.finish()
        try await proper.activations.send(tls.takeCiphertext())
        try await eventually("it is lost") { victim.lostReasons.count == 2 }
        #expect(victim.lostReasons.last == "activations lane: closed by the other end")
        await victim.end()
    }
}
