import Glibc
import Identity
import Memory
import Synchronization
import Testing
import Transport
import Vocabulary
import Wire

/// What many strangers, or one greedy peer, can make this process spend: a bounded part of its time and its memory.
/// The counters are of the victim's loop alone, whose thread does all the work for its connections.
@Suite("Floods", .serialized, .timeLimit(.minutes(4)))
struct FloodTests {
    private func withVictim<Result>(
        _ change: (inout TransportOptions) -> Void = { _ in },
        _ body: (_ victim: TestProcess, _ port: Int, _ friend: Echo) async throws -> Result
    ) async throws -> Result {
        let victim = try await TestProcess("victim", mode: .encrypted, change)
        let friend = try await TestProcess("friend", mode: .encrypted)
        let port = try victim.listen()
        try await friend.system.connect(host: "127.0.0.1", port: port)
        let result = try await body(victim, port, try friend.echo(of: victim.node))
        #expect(friend.events.count == 1, "the friend noticed: \(friend.events)")
        await friend.end()
        await victim.end()
        return result
    }

    // MARK: Time

    /// Handshakes that come together let each other's rest pass, in which others are served: without it the loop would
    /// go through all of them before it looks at anybody else.
    @Test func handshakesTakeTurns() async throws {
        let count = 30
        var meanwhile = 0
        // The calls are this process's own tasks, which may have to wait for other tests: then nothing was measured.
        for _ in 0..<5 where meanwhile < count / 3 { meanwhile = try await callsAnswered(duringHandshakes: count) }
        #expect(meanwhile >= count / 3, "\(meanwhile) calls were answered in \(count) handshakes")
    }

    private func callsAnswered(duringHandshakes count: Int) async throws -> Int {
        try await withVictim { victim, port, friend in
            // The clients' part is computed before: what is measured waits for the victim alone.
            let first = try (0..<count).map { number in
                let lane = try RawLane(port: port, mode: .encrypted, from: UInt32(1 + number % 2))
                let tls = try #require(lane.tls)
                _ = try tls.shakeHands()
                return (lane, tls.takeCiphertext())
            }
            _ = try await friend.echo(TestValue(1))
            let answered = Atomic<Int>(0)
            let calls = Task {
                while !Task.isCancelled {
                    _ = try await friend.echo(TestValue(2))
                    answered.wrappingAdd(1, ordering: .relaxed)
                }
            }
            for (lane, hello) in first { try await lane.send(hello) }
            let before = answered.load(ordering: .relaxed)
            for (lane, _) in first {
                let answer = try await lane.receive(1 << 16, until: EventLoop.now + .seconds(30))
                #expect(answer != nil)
            }
            let meanwhile = answered.load(ordering: .relaxed) - before
            calls.cancel()
            _ = await calls.result
            for (lane, _) in first { lane.hangUp() }
            return meanwhile
        }
    }

    // MARK: Memory

    /// What is asked for a connection that has not said who it is. Much of it is room that OpenSSL and the reader make
    /// and that is never touched: what a stranger can fill is far less (wire.md, "Before authentication").
    private static let connectionByteCountMax = 128 << 10

    /// A client hello of which nearly all is there.
    private static var unfinishedHello: [UInt8] {
        let byteCount = 16_000
        return [22, 3, 1, UInt8((byteCount + 4) >> 8), UInt8((byteCount + 4) & 0xFF)]
            + [1, 0, UInt8(byteCount >> 8), UInt8(byteCount & 0xFF), 3, 3]
            + [UInt8](repeating: 0, count: byteCount - 10)
    }

    private enum Stage: CaseIterable {
        /// In the midst of the TLS handshake, with as much as it may say.
        case unfinishedHello
        /// After it, without a certificate.
        case stranger
    }

    private static func open(_ stage: Stage, port: Int, from: UInt32) async throws -> RawLane {
        let lane: RawLane
        switch stage {
        case .unfinishedHello:
            lane = try RawLane(port: port, tls: nil, from: from)
            try await lane.send(unfinishedHello)
        case .stranger:
            lane = try RawLane(port: port, tls: RawTLS(nil), from: from)
            _ = try await lane.shakeHands(try #require(lane.tls))
        }
        return lane
    }

    @Test func whoHasNotSaidWhoItIsGetsLittleMemory() async throws {
        for stage in Stage.allCases {
            try await withVictim { victim, port, friend in
                // What is made once is made.
                let warm = try await Self.open(stage, port: port, from: 1)
                _ = try await friend.echo(TestValue(1))
                await LoopMeasure.begin(victim.loop)
                let count = 60
                var lanes: [RawLane] = []
                for number in 0..<count {
                    lanes.append(try await Self.open(stage, port: port, from: UInt32(1 + number % 2)))
                }
                // Its turn has come for all of them when those that were last are served.
                try await Task.sleep(for: .milliseconds(500))
                let held = await LoopMeasure.heldByteCount(victim.loop)
                #expect(held > count * 100, "nothing is counted at all")
                #expect(held <= count * Self.connectionByteCountMax, "\(stage): \(held / count) bytes a connection")
                for lane in lanes + [warm] { lane.hangUp() }
                try await eventually("\(stage): the memory comes back", seconds: 30) {
                    await LoopMeasure.heldByteCount(victim.loop) < 10 * Self.connectionByteCountMax
                }
                await LoopMeasure.end(victim.loop)
            }
        }
    }

    /// Connections come and go by the hundreds; what they took is given back, or kept for the next ones.
    @Test func floodsLeaveNothingBehind() async throws {
        try await withVictim { victim, port, friend in
            await LoopMeasure.begin(victim.loop)
            var highest = 0
            for _ in 0..<20 {
                var lanes: [RawLane] = []
                for number in 0..<50 {
                    let lane = try RawLane(port: port, tls: nil, from: UInt32(1 + number % 3))
                    try await lane.send(number % 2 == 0 ? Self.unfinishedHello : [UInt8](repeating: 9, count: 4000))
                    lanes.append(lane)
                }
                #expect(try await friend.echo(TestValue(3)).number == 3)
                highest = max(highest, await LoopMeasure.heldByteCount(victim.loop))
                for lane in lanes { lane.hangUp() }
            }
            // Those of a round, and those of the round before that are not noticed to be gone.
            #expect(highest <= 2 * 64 * Self.connectionByteCountMax, "\(highest) bytes at a time")
            try await eventually("the memory comes back", seconds: 30) {
                await LoopMeasure.heldByteCount(victim.loop) < 10 * Self.connectionByteCountMax
            }
            await LoopMeasure.end(victim.loop)
        }
    }

    /// A peer that says more than is taken from it is not read: what it has said already is bounded, and others are
    /// served.
    @Test func aGreedyPeerWaitsAndTakesBoundedMemory() async throws {
        let boxByteCount = 1 << 20
        try await withVictim({ $0.mailboxByteCountMax = boxByteCount }) { victim, port, friend in
            let greedy = try await TestProcess("greedy", mode: .encrypted)
            try await greedy.system.connect(host: "127.0.0.1", port: port)
            let echo = try greedy.echo(of: victim.node)
            let bulk = try BufferSlice.pattern(64 << 10)
            await LoopMeasure.begin(victim.loop)
            let flood = Task {
                try await echo.noteSlowly(TestValue(400, "", payload: bulk))
                for _ in 0..<400 { try await echo.note(TestValue(0, "", payload: bulk)) }
            }
            try await eventually("the mailbox fills") {
                await LoopMeasure.heldByteCount(victim.loop) > boxByteCount / 2
            }
            for number in 0..<20 as Range<UInt64> {
                #expect(try await friend.echo(TestValue(number)).number == number)
                // The mailbox, what the reader has ahead of it, and TLS's own.
                let held = await LoopMeasure.heldByteCount(victim.loop)
                #expect(held < 4 * boxByteCount, "\(held) bytes")
            }
            try await flood.value
            try await eventually("nothing is lost", seconds: 60) { victim.notebook.allNumbers.count == 401 }
            await LoopMeasure.end(victim.loop)
            await greedy.end()
        }
    }
}
