import Distributed
import Memory
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Lanes made again", .timeLimit(.minutes(2)))
struct LaneRemakingTests {
    /// Two processes whose lanes go through a proxy, `a` having opened them.
    private static func withCuttablePair(
        _ change: (inout TransportOptions) -> Void = { _ in },
        _ body: (_ a: TestProcess, _ b: TestProcess, _ proxy: CuttableProxy) async throws -> Void
    ) async throws {
        func patient(_ options: inout TransportOptions) {
            options.laneRemakeTimeout = .seconds(30)
            change(&options)
        }
        let a = try await TestProcess("a", patient)
        let b = try await TestProcess("b", patient)
        let proxy = try CuttableProxy(target: try b.listen())
        try await a.system.connect(host: "127.0.0.1", port: proxy.port, expecting: b.node)
        do {
            try await body(a, b, proxy)
        } catch {
            Issue.record(error)
        }
        await a.end()
        await b.end()
        proxy.end()
    }

    /// A call that may come while the lane is away.
    private static func isAnswered(_ echo: Echo) async -> Bool {
        (try? await echo.echo(TestValue(1)).number) == 1
    }

    @Test func aLostControlLaneFailsItsCallsAndComesBack() async throws {
        try await Self.withCuttablePair { a, b, proxy in
            let (there, back) = (try a.echo(of: b.node), try b.echo(of: a.node))
            for round in 1...3 {
                let waiting = Task { await error(TransportError.self) { try await there.wait(TestValue(60_000)) } }
                let waitingBack = Task { await error(TransportError.self) { try await back.wait(TestValue(60_000)) } }
                try await eventually("both calls run") {
                    [a, b].allSatisfy { $0.notebook.allWords.count { $0 == "begun" } == round }
                }
                proxy.cut(.control)
                for failure in [await waiting.value, await waitingBack.value] {
                    #expect(failure?.kind == .peerLost)
                    #expect(failure?.message.contains("control lane") == true)
                }
                try await eventually("the calls are cancelled") {
                    [a, b].allSatisfy { $0.notebook.allWords.count { $0 == "cancelled" } == round }
                }
                try await eventually("calls are answered again") {
                    let (there, back) = (await Self.isAnswered(there), await Self.isAnswered(back))
                    return there && back
                }
            }
            #expect(proxy.generations(of: .control) == proxy.generations(of: .control).sorted())
            #expect(a.events.count == 1 && b.events.count == 1)
        }
    }

    @Test func messagesOnControlAreNeitherLostNorDoubled() async throws {
        try await Self.withCuttablePair { a, b, proxy in
            let (there, back) = (try a.echo(of: b.node), try b.echo(of: a.node))
            let count = 4000 as UInt64
            let cutting = Task {
                for _ in 0..<8 {
                    try await Task.sleep(for: .milliseconds(30))
                    proxy.cut(.control)
                }
            }
            async let first: Void = Self.tell(there, count)
            async let second: Void = Self.tell(back, count)
            _ = try await (first, second, cutting.value)
            for process in [a, b] {
                try await eventually("all messages come", seconds: 30) {
                    process.notebook.allNumbers.count >= Int(count)
                }
                #expect(process.notebook.allNumbers == Array(0..<count))
            }
            #expect(proxy.generations(of: .control).count > 1)
            #expect(a.events.count == 1 && b.events.count == 1)
        }
    }

    private static func tell(_ echo: Echo, _ count: UInt64) async throws {
        for number in 0..<count {
            try await echo.noteOnControl(TestValue(number))
            if number % 16 == 0 { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    @Test func aLostBulkLaneFailsTransfersAlone() async throws {
        try await Self.withCuttablePair { a, b, proxy in
            let source = try BufferSlice.pattern(64 << 20)
            let place = BufferSlice(buffer: try AlignedBuffer(byteCount: source.byteCount))
            proxy.hold(.bulk, afterByteCount: 16 << 20)
            let waiting = Task { try await a.echo(of: b.node).wait(TestValue(500)).number }
            let grant = try b.system.grantBulk(from: a.node, into: [place])
            let sending = try a.system.startSendingBulk([source], transfer: grant.transfer, to: b.node)
            // One that nobody has begun to send goes as well: both ends must agree on what there is.
            let unused = try b.system.grantBulk(from: a.node, into: [try BufferSlice.pattern(100)])
            try await eventually("bytes come") { place.withUnsafeBytes { $0[0] != 0 } }
            proxy.cut(.bulk)
            for end in [
                await error(BulkFailure.self) { try await grant.landed() },
                await error(BulkFailure.self) { try await sending.landed() },
                await error(BulkFailure.self) { try await unused.landed() },
            ] { #expect(end?.reason == .lost) }
            #expect(try await waiting.value == 500)
            // What is asked for meanwhile waits for the lane, or fails like the others when it was noticed late there.
            try await eventually("transfers land again", seconds: 30) {
                let small = try BufferSlice.pattern(300_000, seed: 2)
                let landing = BufferSlice(buffer: try AlignedBuffer(byteCount: small.byteCount))
                do {
                    let grant = try b.system.grantBulk(from: a.node, into: [landing])
                    try await a.system.sendBulk([small], transfer: grant.transfer, to: b.node)
                    try await grant.landed()
                    return landing.isEqual(to: small)
                } catch is BulkFailure {
                    return false
                }
            }
            #expect(a.events.count == 1 && b.events.count == 1)
        }
    }

    @Test func aLostActivationsLaneEndsThePair() async throws {
        try await Self.withCuttablePair { a, b, proxy in
            proxy.cut(.activations)
            try await eventually("both know") { a.lostReasons.count == 1 && b.lostReasons.count == 1 }
            #expect(a.lostReasons.first?.contains("activations lane") == true)
        }
    }

    @Test(arguments: [Lane.control, .bulk]) func aLaneThatDoesNotComeBackEndsThePair(_ lane: Lane) async throws {
        try await Self.withCuttablePair({ $0.laneRemakeTimeout = .milliseconds(400) }) { a, b, proxy in
            proxy.refuse(true)
            proxy.cut(lane)
            try await eventually("both know") { a.lostReasons.count == 1 && b.lostReasons.count == 1 }
            // Whoever gives it up first takes the other lanes along.
            let reasons = [a, b].map { $0.lostReasons[0] }
            #expect(reasons.contains { $0.contains("\(lane) lane") && $0.contains("not made again within") }, "\(reasons)")
            // It was tried more than once, each time with a higher number.
            let generations = proxy.generations(of: lane)
            #expect(generations.count > 2 && generations == generations.sorted())
            #expect(Set(generations).count == generations.count)
        }
    }

    @Test func onlyWhoOpenedTheLanesMakesThemAgain() async throws {
        let victim = try await TestProcess("victim") { $0.laneRemakeTimeout = .seconds(60) }
        let port = try victim.listen()
        let raw = try await RawPeer("raw", port: port)
        func hello(_ lane: Lane, _ change: (inout Hello) -> Void = { _ in }) -> Hello {
            var hello = Hello(
                node: raw.node, incarnation: Incarnation(raw.incarnation), role: "node", lane: lane, link: 5,
                generation: 1)
            change(&hello)
            return hello
        }
        func open(_ hello: Hello) async throws -> (RawLane, RawLane.Frame?) {
            let lane = try RawLane(port: port)
            try await lane.write(
                .hello, control: try hello.encodeControl(), incarnation: hello.incarnation.rawValue)
            return (lane, try await lane.readFrame())
        }
        let stranger = try #require(NodeID("stranger"))
        for hostile in [
            hello(.control) { $0.link = 6 }, hello(.bulk) { $0.incarnation = Incarnation(78) },
            hello(.bulk) { $0.role = "coordinator" }, hello(.control) { $0.node = stranger },
            hello(.activations), hello(.control) { $0.received = 1 },
        ] {
            let (_, answer) = try await open(hostile)
            #expect(answer?.header.kind == .refuse, "\(hostile)")
        }
        #expect(victim.lostReasons.isEmpty)
        // The right one takes the place of the old, even before that is seen to have ended.
        let (bulk, welcome) = try await open(hello(.bulk))
        #expect(welcome?.header.kind == .welcome)
        #expect(try await raw.lanes[2].isEnded(within: 10))
        // It comes too late, or twice.
        let (_, again) = try await open(hello(.bulk))
        #expect(again?.header.kind == .refuse)
        let (control, welcomed) = try await open(hello(.control) { $0.generation = 7 })
        #expect(welcomed?.header.kind == .welcome)
        let (_, older) = try await open(hello(.control) { $0.generation = 6 })
        #expect(older?.header.kind == .refuse)
        // The new lanes are in use.
        let place = BufferSlice(buffer: try AlignedBuffer(byteCount: 10))
        let grant = try victim.system.grantBulk(from: raw.node, into: [place])
        #expect(try await control.readFrame()?.header.kind == .grant)
        try await bulk.write(.piece, bulk: [UInt8](repeating: 3, count: 10), incarnation: 77, call: grant.transfer)
        try await grant.landed()
        // What was not acknowledged comes again: the grant, and that the transfer has landed.
        let (third, _) = try await open(hello(.control) { $0.generation = 8 })
        #expect(try await third.readFrame()?.header.kind == .grant)
        #expect(try await third.readFrame()?.header.kind == .landed)
        let (fourth, _) = try await open(
            hello(.control) {
                $0.generation = 9
                $0.received = 1
            })
        #expect(try await fourth.readFrame()?.header.kind == .landed)
        // Less than what was acknowledged before cannot be.
        let (_, shrunken) = try await open(hello(.control) { $0.generation = 10 })
        #expect(shrunken?.header.kind == .refuse)
        try await fourth.write(.acknowledge, incarnation: 77, call: 3)
        #expect(try await fourth.isEnded(within: 10))
        try await eventually("a false acknowledgement ends it") { victim.lostReasons.count == 1 }
        await victim.end()
    }
}
