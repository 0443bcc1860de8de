import Testing
import Transport
import Vocabulary
import Wire

/// Bytes that no proper peer sends. Each is dropped, and a proper peer beside it notices nothing.
@Suite("Hostile bytes", .inBothModes, .timeLimit(.minutes(4)))
struct HostileTests {
    private func withVictim(
        _ change: (inout TransportOptions) -> Void = { _ in },
        _ body: (_ victim: TestProcess, _ port: Int) async throws -> Void
    ) async throws {
        let victim = try await TestProcess("victim", change)
        let friend = try await TestProcess("friend", change)
        let port = try victim.listen()
        try await friend.system.connect(host: "127.0.0.1", port: port)
        let echo = try friend.echo(of: victim.node)
        let waiting = Task { try await echo.wait(TestValue(100)) }
        try await body(victim, port)
        let (waited, reply) = (try await waiting.value.number, try await echo.echo(TestValue(8)).number)
        #expect(waited == 100 && reply == 8)
        #expect(friend.events.count == 1)
        await friend.end()
        await victim.end()
    }

    private static func hello(lane: Lane = .control, node: String = "raw", link: UInt64 = 5) throws -> Hello {
        Hello(
            node: try #require(NodeID(node)), incarnation: Incarnation(77), role: "node", lane: lane, link: link)
    }

    private static func helloFrame(_ change: (inout FrameHeader) -> Void = { _ in }) throws -> [UInt8] {
        RawLane.frame(.hello, control: try hello().encodeControl(), incarnation: 77, change)
    }

    // MARK: Before the handshake

    @Test func garbageInPlaceOfAHello() async throws {
        try await withVictim { victim, port in
            var random = SystemRandomNumberGenerator()
            for byteCount in [80, 1000, 100_000] {
                let raw = try RawLane(port: port)
                try await raw.write((0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &random) })
                #expect(try await raw.isEnded(within: 10))
            }
            let http = try RawLane(port: port)
            let request = "GET / HTTP/1.1\r\nHost: localhost\r\n" + String(repeating: "X: y\r\n", count: 20) + "\r\n"
            try await http.write(Array(request.utf8))
            #expect(try await http.isEnded(within: 10))
            #expect(victim.events.count == 1)
        }
    }

    @Test func wrongMagicVersionChecksumOrKind() async throws {
        try await withVictim { victim, port in
            var frames: [[UInt8]] = []
            var magic = try Self.helloFrame()
            magic[0] = UInt8(ascii: "X")
            frames.append(magic)
            var header = try Self.helloFrame()
            header[20] ^= 1
            frames.append(header)
            var body = try Self.helloFrame()
            body[FrameHeader.byteCount + 2] ^= 1
            frames.append(body)
            // Encryption finds changed bytes by itself.
            if TestMode.current == .plain { frames.append(try Self.helloFrame(Self.removeChecksum)) }
            frames.append(RawLane.frame(.ping, incarnation: 77))
            frames.append(RawLane.frame(.call, control: [1], incarnation: 77, method: 1, call: 1, object: 7))
            frames.append(RawLane.frame(.hello, control: [0xFF, 0xFF, 0xFF], incarnation: 77))
            frames.append(try Self.helloFrame { $0.stamp.incarnation = Incarnation(78) })
            for frame in frames {
                let raw = try RawLane(port: port)
                try await raw.write(frame)
                #expect(try await raw.isEnded(within: 10))
            }
            #expect(victim.events.count == 1)
        }
    }

    @Test func versionsThatNobodySpeaks() async throws {
        try await withVictim { _, port in
            let frame = try RawLane(port: port)
            try await frame.write(try Self.helloFrame { $0.version = 200 })
            var hello = try Self.hello()
            hello.versions = 100...120
            let offer = try RawLane(port: port)
            try await offer.write(.hello, control: try hello.encodeControl(), incarnation: 77)
            for raw in [frame, offer] {
                let refusal = try #require(try await raw.readFrame())
                #expect(refusal.header.kind == .refuse)
                let failure = try refusal.control.withUnsafeBytes {
                    try RemoteFailure(control: $0, stamp: .none, bulk: nil)
                }
                #expect(failure.code == RemoteFailure.Code.unsupportedVersion)
            }
        }
    }

    @Test func lengthsBeyondTheLimits() async throws {
        try await withVictim { _, port in
            for change in [
                { (header: inout FrameHeader) in header.controlByteCount = 4097 },
                { header in header.controlByteCount = Int(UInt32.max) },
                { header in header.bulkByteCount = 1 },
                { header in header.bulkByteCount = Int(UInt32.max) },
            ] {
                let raw = try RawLane(port: port)
                try await raw.write(try Self.helloFrame(change))
                #expect(try await raw.isEnded(within: 10))
            }
        }
    }

    @Test func silentAndUnfinishedHellos() async throws {
        try await withVictim({ $0.handshakeTimeout = .seconds(1) }) { victim, port in
            let silent = try RawLane(port: port)
            let truncated = try RawLane(port: port)
            try await truncated.write(Array(try Self.helloFrame().dropLast(5)))
            let trickling = try RawLane(port: port)
            let trickle = Task {
                for byte in try Self.helloFrame() {
                    guard try await trickling.write([byte]) else { return }
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
            // A control lane alone is not enough either.
            let alone = try RawLane(port: port)
            try await alone.write(try Self.helloFrame())
            #expect(try await alone.readFrame()?.header.kind == .welcome)
            for raw in [silent, truncated, trickling, alone] { #expect(try await raw.isEnded(within: 10)) }
            _ = try await trickle.value
            #expect(victim.events.count == 1)
        }
    }

    @Test func lanesThatBelongToNoSet() async throws {
        try await withVictim { victim, port in
            let control = try RawLane(port: port)
            try await control.write(try Self.helloFrame())
            #expect(try await control.readFrame()?.header.kind == .welcome)
            for hello in [
                try Self.hello(lane: .bulk, link: 6), try Self.hello(lane: .bulk, node: "other"),
                try Self.hello(lane: .activations, node: "friend"), try Self.hello(node: "victim"),
                try Self.hello(),
            ] {
                let raw = try RawLane(port: port)
                try await raw.write(.hello, control: try hello.encodeControl(), incarnation: 77)
                #expect(try await raw.readFrame()?.header.kind == .refuse)
                #expect(try await raw.isEnded(within: 10))
            }
            #expect(victim.events.count == 1)
        }
    }

    @Test func tooManyHalfOpenConnections() async throws {
        try await withVictim({
            $0.halfOpenCountMax = 8
            $0.halfOpenCountMaxPerAddress = 8
            $0.handshakeTimeout = .seconds(60)
        }) { _, port in
            var open = try (0..<20).map { _ in try RawLane(port: port, tls: nil) }
            try await eventually("no more than eight stay", seconds: 30) {
                var rest: [RawLane] = []
                for lane in open {
                    if try await !lane.isEnded(within: 0.02) { rest.append(lane) }
                }
                open = rest
                return open.count <= 8
            }
            #expect(open.count == 8)
            for lane in open { lane.hangUp() }
            try await Task.sleep(for: .milliseconds(1200))
            let proper = try await RawPeer("proper", port: port)
            proper.hangUp()
        }
    }

    // MARK: After it

    private static func call(_ change: (inout FrameHeader) -> Void = { _ in }) throws -> [UInt8] {
        RawLane.frame(
            .call, control: try TestValue(1).encodeControl(), bulk: [1, 2, 3], incarnation: 77, method: 1, call: 1,
            object: 7, change)
    }

    private static func removeChecksum(_ header: inout FrameHeader) {
        header.flags = []
        header.bodyChecksum = 0
    }

    private static func claimCompression(_ header: inout FrameHeader, to byteCount: Int) {
        header.flags.insert(.bulkIsCompressed)
        header.bulkUncompressedByteCount = byteCount
    }

    @Test func framesThatEndThePeer() async throws {
        try await withVictim { victim, port in
            var checksum = try Self.call()
            checksum[checksum.count - 1] ^= 1
            var magic = try Self.call()
            magic[1] = 0
            let goodbye = try RemoteFailure(code: "x", message: "y").encodeControl()
            let cases: [(name: String, bytes: [UInt8], lane: Int)] = [
                ("incarnation", try Self.call { $0.stamp.incarnation = Incarnation(78) }, 0),
                ("checksum", checksum, 0),
                ("magic", magic, 0),
                ("version", try Self.call { $0.version = 9 }, 0),
                ("length", try Self.call { $0.bulkByteCount = 1 << 30 }, 0),
                ("control", try Self.call { $0.controlByteCount = (4 << 20) + 1 }, 0),
                ("bomb", try Self.call { Self.claimCompression(&$0, to: 1 << 30) }, 0),
                ("compressed", try Self.call { Self.claimCompression(&$0, to: 1 << 20) }, 0),
                ("helloAgain", try Self.helloFrame(), 0),
                ("twice", try Self.call { $0.method = 6 } + Self.call { $0.method = 6 }, 0),
                ("goodbyeOnBulk", RawLane.frame(.goodbye, control: goodbye, incarnation: 77), 2),
                ("badOneWay", RawLane.frame(.oneWay, control: [1], incarnation: 77, method: 4, object: 7), 1),
                ("badGoodbye", RawLane.frame(.goodbye, control: [0xFF], incarnation: 77), 0),
            ]
            // Encryption finds changed bytes by itself.
            let noChecksum = TestMode.current == .plain ? [("noChecksum", try Self.call(Self.removeChecksum), 0)] : []
            for (index, hostile) in (cases + noChecksum).enumerated() {
                let raw = try await RawPeer(hostile.name, port: port)
                try await raw.lanes[hostile.lane].write(hostile.bytes)
                for lane in raw.lanes { #expect(try await lane.isEnded(within: 10), "\(hostile.name)") }
                try await eventually("\(hostile.name) is lost") { victim.lostReasons.count == index + 1 }
            }
        }
    }

    @Test func callsThatAreRefused() async throws {
        try await withVictim { victim, port in
            let raw = try await RawPeer("raw", port: port)
            let cases: [(bytes: [UInt8], lane: Int, code: String)] = [
                (try Self.call { $0.method = 999 }, 0, RemoteFailure.Code.unknownMethod),
                (try Self.call { $0.method = 20 }, 0, RemoteFailure.Code.unknownMethod),
                (try Self.call { $0.actor = 12345 }, 0, RemoteFailure.Code.unknownObject),
                (try Self.call(), 2, RemoteFailure.Code.wrongLane),
                (try Self.call { $0.method = 4 }, 1, RemoteFailure.Code.wrongLane),
                (
                    RawLane.frame(.call, control: [1], incarnation: 77, method: 1, call: 1, object: 7), 0,
                    RemoteFailure.Code.malformed
                ),
            ]
            for refused in cases {
                try await raw.lanes[refused.lane].write(refused.bytes)
                let frame = try #require(try await raw.lanes[refused.lane].readFrame())
                #expect(frame.header.kind == .failure)
                #expect(frame.header.call == 1)
                let failure = try frame.control.withUnsafeBytes {
                    try RemoteFailure(control: $0, stamp: .none, bulk: nil)
                }
                #expect(failure.code == refused.code)
            }
            // Dropped without harm: one-way messages for nobody, and answers that nobody waits for.
            let control = try TestValue(1).encodeControl()
            try await raw.activations.write(.oneWay, control: control, incarnation: 77, method: 4, object: 999)
            try await raw.activations.write(.oneWay, control: control, incarnation: 77, method: 999, object: 7)
            try await raw.control.write(.reply, control: control, incarnation: 77, method: 1, call: 42)
            try await raw.control.write(.cancel, incarnation: 77, call: 42)
            // An incarnation of 0 says nothing.
            try await raw.control.write(try Self.call { $0.stamp.incarnation = Incarnation(0) })
            #expect(try await raw.control.readFrame()?.header.kind == .reply)
            #expect(victim.lostReasons.isEmpty)
            raw.hangUp()
        }
    }

    @Test func framesInSmallPieces() async throws {
        try await withVictim { _, port in
            let raw = try await RawPeer("raw", port: port)
            var bytes: [UInt8] = []
            for number in 1...20 as ClosedRange<UInt64> {
                let bulk = [UInt8](repeating: UInt8(number), count: Int(number * number * 3 % 200))
                bytes += RawLane.frame(
                    .call, control: try TestValue(number).encodeControl(), bulk: bulk, incarnation: 77, method: 1,
                    call: number, object: 7)
            }
            let sent = bytes
            let writing = Task {
                var start = 0
                var size = 1
                while start < sent.count {
                    let end = min(start + size, sent.count)
                    try await raw.control.write(Array(sent[start..<end]))
                    start = end
                    size = size % 131 + 7
                }
            }
            for number in 1...20 as ClosedRange<UInt64> {
                let reply = try #require(try await raw.control.readFrame())
                #expect(reply.header.kind == .reply && reply.header.call == number)
                #expect(reply.bulk == [UInt8](repeating: UInt8(number), count: Int(number * number * 3 % 200)))
            }
            try await writing.value
            raw.hangUp()
        }
    }

    @Test func repliesThatAreNoReplies() async throws {
        try await withVictim { victim, port in
            let raw = try await RawPeer("raw", port: port)
            let echo = try victim.echo(of: raw.node)
            let call = Task { await error(TransportError.self) { try await echo.echo(TestValue(1)) } }
            let frame = try #require(try await raw.control.readFrame())
            try await raw.control.write(
                .reply, control: [1, 2], incarnation: 77, method: 1, call: frame.header.call)
            #expect(await call.value?.kind == .invalidMessage)
            #expect(victim.lostReasons.isEmpty)
            raw.hangUp()
        }
    }

    @Test func pingFloodsAreAnsweredWithinBounds() async throws {
        try await withVictim { victim, port in
            let raw = try await RawPeer("raw", port: port)
            let pings = Array((0..<1000).map { _ in RawLane.frame(.ping, incarnation: 77) }.joined())
            for _ in 0..<20 { try await raw.control.write(pings) }
            var first = try await raw.control.readFrame(keepsPings: true)?.header.kind
            // On a busy machine it may ask itself whether we live.
            while first == .ping { first = try await raw.control.readFrame(keepsPings: true)?.header.kind }
            #expect(first == .pong)
            raw.hangUp()
            try await eventually("the flood ends") { victim.lostReasons.count == 1 }
        }
    }
}
