import Distributed
import Glibc
import Memory
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Losing peers", .inBothModes, .timeLimit(.minutes(4)))
struct LossTests {
    @Test(arguments: Lane.allCases)
    func losingAnyLaneFailsAllWaitingCallsAtOnce(_ lane: Lane) async throws {
        // The control and the bulk lane would be made again.
        let b = try await TestProcess("b") { $0.laneRemakeTimeout = .milliseconds(50) }
        let raw = try await RawPeer("raw", port: try b.listen())
        let echo = try b.echo(of: raw.node)
        let calls = (0..<20).map { number in
            Task { await error(TransportError.self) { try await echo.wait(TestValue(UInt64(number))) } }
        }
        for _ in calls { #expect(try await raw.control.readFrame()?.header.kind == .call) }
        let begin = EventLoop.now
        raw.lanes[Int(lane.rawValue)].hangUp()
        for call in calls {
            let failure = await call.value
            #expect(failure?.kind == .peerLost)
            #expect(failure?.peer == raw.node)
            #expect(failure?.message.contains("raw") == true)
            #expect(failure?.message.contains("\(lane) lane") == true)
            #expect(failure?.message.contains("closed by the other end") == true)
        }
        #expect((EventLoop.now - begin).seconds < 10)
        for lane in raw.lanes { #expect(try await lane.isEnded(within: 5)) }
        try await eventually("it is lost") { b.lostReasons.count == 1 }
        #expect(b.events.count == 2)
        #expect(await error(TransportError.self) { try await echo.echo(TestValue()) }?.kind == .notConnected)
        await b.end()
    }

    @Test func goodbyesTellTheReason() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            let waiting = Task { await error(TransportError.self) { try await echo.wait(TestValue(60_000)) } }
            try await eventually("the call runs") { b.notebook.allWords == ["begun"] }
            b.system.disconnect(a.node, reason: "of no more use")
            let failure = await waiting.value
            #expect(failure?.kind == .peerLost)
            #expect(failure?.message.contains("of no more use") == true)
            try await eventually("both know") { a.lostReasons.count == 1 && b.lostReasons.count == 1 }
            #expect(b.lostReasons == ["of no more use"])
            #expect(a.lostReasons.first?.contains("of no more use") == true)
            // The handler is told as well.
            try await eventually("the call is cancelled") { b.notebook.allWords == ["begun", "cancelled"] }
        }
    }

    @Test func whatWasSentBeforeAGoodbyeIsDoneBeforeTheLoss() async throws {
        for _ in 0..<10 {
            try await withPair { a, b in
                let echo = try a.echo(of: b.node)
                for number in 0..<200 as Range<UInt64> { try await echo.note(TestValue(number)) }
                await a.system.shutdown()
                try await eventually("the loss is told") { b.lostReasons.count == 1 }
                #expect(b.notebook.allNumbers == Array(0..<200), "\(TestMode.current) \(b.lostReasons)")
            }
        }
    }

    @Test func silentPeersAreLost() async throws {
        let b = try await TestProcess("b") {
            $0.pingInterval = .milliseconds(50)
            $0.silenceMax = .milliseconds(300)
        }
        let begin = EventLoop.now
        let raw = try await RawPeer("raw", port: try b.listen())
        try await eventually("the silent one is lost") { b.lostReasons.count == 1 }
        #expect((EventLoop.now - begin).seconds > 0.25)
        #expect(b.lostReasons.first?.contains("nothing came on its control lane") == true)
        var kinds: Set<FrameKind> = []
        while let frame = try await raw.control.readFrame(keepsPings: true) { kinds.insert(frame.header.kind) }
        #expect(kinds == [.ping, .goodbye])
        await b.end()
    }

    @Test func oneSilentLaneIsEnough() async throws {
        let b = try await TestProcess("b") {
            $0.pingInterval = .milliseconds(50)
            $0.silenceMax = .seconds(1)
        }
        let raw = try await RawPeer("raw", port: try b.listen())
        for _ in 0..<500 where b.lostReasons.isEmpty {
            try await raw.control.write(.ping, incarnation: raw.incarnation)
            try await raw.lanes[2].write(.ping, incarnation: raw.incarnation)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(b.lostReasons.first?.contains("nothing came on its activations lane") == true)
        await b.end()
    }

    @Test func idlePeersStayConnected() async throws {
        try await withPair({
            $0.pingInterval = .milliseconds(50)
            $0.silenceMax = .seconds(2)
        }) { a, b in
            try await Task.sleep(for: .milliseconds(5000))
            #expect(a.lostReasons.isEmpty && b.lostReasons.isEmpty)
        }
    }

    @Test func aProcessThatStoodStillDoesNotBlameOthers() async throws {
        let a = try await TestProcess("a") {
            $0.pingInterval = .milliseconds(50)
            $0.silenceMax = .seconds(2)
        }
        let b = try await TestProcess("b") { $0.silenceMax = .seconds(60) }
        try await a.system.connect(host: "127.0.0.1", port: try b.listen())
        a.loop.execute { usleep(4_000_000) }
        try await Task.sleep(for: .milliseconds(4500))
        #expect(a.lostReasons.isEmpty)
        #expect(try await a.echo(of: b.node).echo(TestValue(1)).number == 1)
        await a.end()
        await b.end()
    }

    @Test func aSlowReaderSuspendsItsSenders() async throws {
        let b = try await TestProcess("b") { $0.queuedByteCountMax = 1 << 20 }
        let raw = try await RawPeer("raw", port: try b.listen())
        let echo = try b.echo(of: raw.node)
        let bulk = try BufferSlice.pattern(256 << 10)
        let sent = Notebook()
        // More than the queue and the system's buffers hold together.
        let count = 64 as UInt64
        let task = Task {
            for number in 0..<count {
                try await echo.note(TestValue(number, payload: bulk))
                sent.write(number)
            }
        }
        var stalled = 0
        try await eventually("the sender stands still") {
            let before = sent.allNumbers.count
            try await Task.sleep(for: .milliseconds(200))
            stalled = sent.allNumbers.count
            return stalled == before && stalled > 0
        }
        #expect(stalled < Int(count))
        for number in 0..<count {
            let frame = try #require(try await raw.activations.readFrame())
            let value = try frame.control.withUnsafeBytes {
                try TestValue(control: $0, stamp: .none, bulk: nil)
            }
            #expect(value.number == number)
            #expect(frame.bulk.count == bulk.byteCount)
        }
        try await task.value
        #expect(sent.allNumbers == Array(0..<count))
        await b.end()
    }

    @Test func suspendedSendersFailWithTheirPeer() async throws {
        let b = try await TestProcess("b") { $0.queuedByteCountMax = 1 << 20 }
        let raw = try await RawPeer("raw", port: try b.listen())
        let echo = try b.echo(of: raw.node)
        let bulk = try BufferSlice.pattern(1 << 20)
        let senders = (0..<4).map { _ in
            Task {
                await error(TransportError.self) {
                    for _ in 0..<100 { try await echo.note(TestValue(1, payload: bulk)) }
                }
            }
        }
        let impatient = Task {
            await error(TransportError.self) {
                try await ClusterActorSystem.withDeadline(300) {
                    for _ in 0..<100 { try await echo.note(TestValue(1, payload: bulk)) }
                }
            }
        }
        let cancelled = Task {
            await error(CancellationError.self) {
                for _ in 0..<100 { try await echo.note(TestValue(1, payload: bulk)) }
            }
        }
        let call = Task {
            await error(TransportError.self) { try await echo.echoOnBulkLane(TestValue(1, payload: bulk)) }
        }
        #expect(await impatient.value?.kind == .deadlineExceeded)
        cancelled.cancel()
        #expect(await cancelled.value != nil)
        raw.hangUp()
        for sender in senders { #expect(await sender.value?.kind == .peerLost) }
        #expect(await call.value?.kind == .peerLost)
        await b.end()
    }
}
