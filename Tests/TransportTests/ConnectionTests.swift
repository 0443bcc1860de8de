import Memory
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Connecting", .inBothModes, .timeLimit(.minutes(4)))
struct ConnectionTests {
    @Test func bothEndsLearnWhoIsThere() async throws {
        let a = try await TestProcess("a", incarnation: 5, role: .coordinator)
        let b = try await TestProcess("b", incarnation: 6)
        let port = try b.listen()
        let ownPort = try a.listen()
        let peer = try await a.system.connect(host: "127.0.0.1", port: port)
        #expect(peer == b.system.identity)
        #expect(a.system.isConnected(b.node) && b.system.isConnected(a.node))
        #expect(a.events == [.connected(b.system.identity, host: "127.0.0.1", listenPort: port)])
        #expect(b.events == [.connected(a.system.identity, host: "127.0.0.1", listenPort: ownPort)])
        #expect(b.system.connectedPeers == [a.system.identity])
        // What is connected stays so, by whatever way it is asked for.
        #expect(try await a.system.connect(host: "127.0.0.1", port: port) == peer)
        #expect(try await a.system.connect(host: "127.0.0.1", port: port, expecting: b.node) == peer)
        #expect(try await b.system.connect(host: "127.0.0.1", port: ownPort) == a.system.identity)
        #expect(a.events.count == 1 && b.events.count == 1)
        await a.end()
        await b.end()
    }

    @Test func namesAndIPv6() async throws {
        let a = try await TestProcess("a")
        let b = try await TestProcess("b")
        let port = try b.system.listen(host: "::1", port: 0)
        #expect(try await a.system.connect(host: "::1", port: port).node == b.node)
        let c = try await TestProcess("c")
        let named = try await TestProcess("named")
        let namedPort = try named.system.listen(host: "localhost", port: 0)
        #expect(try await c.system.connect(host: "localhost", port: namedPort).node == named.node)
        for process in [a, b, c, named] { await process.end() }
    }

    @Test(arguments: [true, false])
    func bothAtOnceMakeOneSetOfLanes(_ knowsName: Bool) async throws {
        for round in 0..<25 {
            let a = try await TestProcess("a\(round)")
            let b = try await TestProcess("b\(round)")
            let (portA, portB) = (try a.listen(), try b.listen())
            async let first = a.system.connect(host: "127.0.0.1", port: portB, expecting: knowsName ? b.node : nil)
            async let second = b.system.connect(host: "127.0.0.1", port: portA, expecting: knowsName ? a.node : nil)
            let peers = try await (first, second)
            #expect(peers.0 == b.system.identity && peers.1 == a.system.identity)
            let there = try await a.echo(of: b.node).echo(TestValue(1)).number
            let back = try await b.echo(of: a.node).echo(TestValue(2)).number
            #expect(there == 1 && back == 2)
            #expect(a.connectedCount == 1 && b.connectedCount == 1)
            #expect(a.lostReasons.isEmpty && b.lostReasons.isEmpty)
            await a.end()
            await b.end()
        }
    }

    @Test func manyTriesAtOnceMakeOneSetOfLanes() async throws {
        let a = try await TestProcess("a")
        let b = try await TestProcess("b")
        let port = try b.listen()
        try await withThrowingTaskGroup(of: PeerIdentity.self) { group in
            for _ in 0..<10 { group.addTask { try await a.system.connect(host: "127.0.0.1", port: port) } }
            for try await peer in group { #expect(peer == b.system.identity) }
        }
        #expect(a.events.count == 1 && b.events.count == 1)
        await a.end()
        await b.end()
    }

    @Test func reconnectAfterLoss() async throws {
        let a = try await TestProcess("a")
        let b = try await TestProcess("b")
        let port = try b.listen()
        for round in 1...5 {
            try await a.system.connect(host: "127.0.0.1", port: port, expecting: b.node)
            #expect(try await a.echo(of: b.node).echo(TestValue(1)).number == 1)
            a.system.disconnect(b.node, reason: "round \(round)")
            try await eventually("both see the loss") { a.lostReasons.count == round && b.lostReasons.count == round }
            #expect(!a.system.isConnected(b.node))
        }
        #expect(b.connectedCount == 5)
        await a.end()
        await b.end()
    }

    @Test func aNewIncarnationTakesTheOldOnesPlace() async throws {
        let b = try await TestProcess("b")
        let port = try b.listen()
        let old = try await RawPeer("raw", port: port, incarnation: 1)
        let new = try await RawPeer("raw", port: port, incarnation: 2)
        try await eventually("the old one is lost, the new one connected") { b.events.count == 3 }
        #expect(b.system.peer(new.node)?.incarnation == Incarnation(2))
        #expect(b.lostReasons == ["it was started anew"])
        #expect(try await old.control.isEnded(within: 5))
        await b.end()
    }

    @Test func theSameIncarnationAgainIsRefused() async throws {
        let b = try await TestProcess("b")
        let port = try b.listen()
        let first = try await RawPeer("raw", port: port)
        let again = try RawLane(port: port)
        let hello = Hello(node: first.node, incarnation: Incarnation(first.incarnation), role: "node", lane: .control)
        try await again.write(.hello, control: try hello.encodeControl(), incarnation: first.incarnation)
        let refusal = try #require(try await again.readFrame())
        #expect(refusal.header.kind == .refuse)
        #expect(refusal.header.stamp.incarnation == b.system.identity.incarnation)
        // The first one's lanes are all tried, so that dead ones are found.
        for lane in first.lanes { #expect(try await lane.readFrame(keepsPings: true)?.header.kind == .ping) }
        #expect(b.events.count == 1)
        await b.end()
    }

    @Test func theWrongProcessIsNotTaken() async throws {
        let a = try await TestProcess("a")
        let b = try await TestProcess("b")
        let port = try b.listen()
        let wrong = await error(TransportError.self) {
            try await a.system.connect(host: "127.0.0.1", port: port, expecting: NodeID("c"))
        }
        #expect(wrong?.kind == .wrongPeer)
        #expect(wrong?.message.contains("is b, not c") == true)
        let ownPort = try a.listen()
        let itself = await error(TransportError.self) {
            try await a.system.connect(host: "127.0.0.1", port: ownPort)
        }
        #expect(itself?.kind == .wrongPeer)
        #expect(a.events.isEmpty && b.events.isEmpty)
        await a.end()
        await b.end()
    }

    @Test func addressesThatCannotBe() async throws {
        let a = try await TestProcess("a") { $0.connectTimeout = .milliseconds(500) }
        let port = try a.listen()
        let b = try await TestProcess("b") { $0.connectTimeout = .milliseconds(500) }
        let inUse = #expect(throws: TransportError.self) { try b.system.listen(host: "127.0.0.1", port: port) }
        #expect(inUse?.kind == .addressInUse)
        #expect(inUse?.message.contains("127.0.0.1:\(port)") == true)
        // Encryption makes other addresses safe.
        for host in TestMode.current == .plain ? ["0.0.0.0", "::", "192.0.2.1"] : [] {
            let listening = #expect(throws: TransportError.self) { try b.system.listen(host: host, port: 0) }
            #expect(listening?.kind == .nonLoopback)
            #expect(listening?.message.contains("--insecure") == true)
            let connecting = await error(TransportError.self) { try await b.system.connect(host: host, port: 4000) }
            #expect(connecting?.kind == .nonLoopback)
            #expect(connecting?.message.contains("--insecure") == true)
        }
        await a.end()
        let nobody = try SilentListener(accepts: false)
        let refused = await error(TransportError.self) {
            try await b.system.connect(host: "127.0.0.1", port: nobody.port)
        }
        #expect(refused?.kind == .refused)
        #expect(refused?.message.contains("127.0.0.1:\(nobody.port)") == true)
        let noName = await error(TransportError.self) { try await b.system.connect(host: "no.such.invalid", port: 1) }
        #expect(noName?.kind == .invalidAddress)
        for port in [-1, 0, 65_536] {
            let noPort = await error(TransportError.self) { try await b.system.connect(host: "127.0.0.1", port: port) }
            #expect(noPort?.kind == .invalidAddress)
        }
        await b.end()
    }

    @Test func othersMayBeAllowed() async throws {
        let b = try await TestProcess("b") { $0.allowsNonLoopback = true }
        let port = try b.system.listen(host: "0.0.0.0", port: 0)
        let a = try await TestProcess("a")
        #expect(try await a.system.connect(host: "127.0.0.1", port: port).node == b.node)
        await a.end()
        await b.end()
    }

    @Test func whoDoesNotAnswerIsGivenUp() async throws {
        let a = try await TestProcess("a") { $0.connectTimeout = .milliseconds(200) }
        let silent = try SilentListener()
        let begin = EventLoop.now
        let late = await error(TransportError.self) {
            try await a.system.connect(host: "127.0.0.1", port: silent.port)
        }
        #expect(late?.kind == .timedOut)
        #expect((EventLoop.now - begin).seconds < 20)
        let patient = try await TestProcess("patient")
        let task = Task { try await patient.system.connect(host: "127.0.0.1", port: silent.port) }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await a.end()
        await patient.end()
    }

    @Test func shutdownRefusesAndCloses() async throws {
        let a = try await TestProcess("a")
        let b = try await TestProcess("b")
        let port = try b.listen()
        try await a.system.connect(host: "127.0.0.1", port: port)
        await b.system.shutdown()
        try await eventually("the other end knows") { a.lostReasons.count == 1 }
        #expect(a.lostReasons.first?.contains("b is shutting down") == true)
        #expect(b.lostReasons.count == 1)
        let refused = await error(TransportError.self) { try await a.system.connect(host: "127.0.0.1", port: port) }
        #expect(refused?.kind == .refused)
        await #expect(throws: TransportError.self) { try await b.system.connect(host: "127.0.0.1", port: 4000) }
        await b.system.shutdown()
        await a.end()
        b.loop.stop()
    }
}
