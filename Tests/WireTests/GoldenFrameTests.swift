import Foundation
import Memory
import Testing
import Vocabulary
import Wire

/// The frames of `Protocols/golden`, which another implementation made.
@Suite struct GoldenFrameTests {
    struct GoldenFrame {
        var name: String
        var message: String
        var bytes: [UInt8]

        var header: FrameHeader {
            get throws { try FrameHeader.parse(bytes) }
        }
        var control: [UInt8] {
            get throws { Array(bytes[80..<(80 + (try header.controlByteCount))]) }
        }
        var bulk: [UInt8] {
            get throws { Array(bytes[(80 + (try header.controlByteCount))...]) }
        }

        /// The value in the frame, its bulk decompressed.
        func decode<Message: WireValue>(as type: Message.Type = Message.self) throws -> Message {
            let header = try header
            let sent = try bulk
            var received: BufferSlice?
            if header.flags.contains(.bulkIsCompressed) {
                received = try BulkCodec.decompress(slice(sent), of: header, pool: BufferPool())
            } else if !sent.isEmpty {
                received = try slice(sent)
            }
            return try Message.decode(control, stamp: header.stamp, bulk: received)
        }
    }

    static func load() throws -> [GoldenFrame] {
        let folder = repository.appendingPathComponent("Protocols/golden")
        let index = try String(contentsOf: folder.appendingPathComponent("index.txt"), encoding: .utf8)
        return try index.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let words = line.split(separator: " ").map(String.init)
            try #require(words.count >= 2, "\(line)")
            let text = try String(contentsOf: folder.appendingPathComponent(words[0] + ".hex"), encoding: .utf8)
            let digits = text.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue).map(UInt8.init)
            let bytes = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
            return GoldenFrame(name: words[0], message: words[1], bytes: bytes)
        }
    }

    static func load(_ name: String) throws -> GoldenFrame {
        try #require(try load().first { $0.name == name }, "no golden frame \(name)")
    }

    @Test func everyFrameIsReadAndWrittenTheSame() throws {
        let types = Dictionary(uniqueKeysWithValues: MessageCatalog.all.map { ("\($0)", $0) })
        let frames = try Self.load()
        #expect(frames.count >= 29)
        for frame in frames {
            let header = try frame.header
            #expect(header.frameByteCount == frame.bytes.count, "\(frame.name)")
            #expect(header.encoded() == Array(frame.bytes[..<80]), "\(frame.name)")
            let control = try frame.control
            let bulk = try frame.bulk
            try control.withUnsafeBytes { control in
                try bulk.withUnsafeBytes { try header.verifyBody(control: control, bulk: $0) }
            }
            guard frame.message != "-" else {
                #expect(control.isEmpty, "\(frame.name)")
                #expect(bulk.isEmpty || header.kind == .piece, "\(frame.name)")
                continue
            }
            let type = try #require(types[frame.message], "\(frame.name)")
            let value: any WireValue = try frame.decode(as: type)
            #expect(value.stamp == header.stamp, "\(frame.name)")
            #expect(try value.encodeControl() == control, "\(frame.name)")
        }
        #expect(Set(frames.map(\.message)).isSuperset(of: types.keys))
    }

    @Test func hello() throws {
        let frame = try Self.load("hello")
        #expect(try frame.header.kind == .hello)
        let expected = Hello(
            versions: 1...1, programVersion: "0.1.0", node: try #require(NodeID("node-1")),
            incarnation: Incarnation(0x0123_4567_89AB_CDEF), role: "node", lane: .control, listenPort: 7101,
            host: "127.0.0.1", link: 0x1122_3344_5566_7788)
        #expect(try frame.decode() == expected)
    }

    @Test func bulkTransfer() throws {
        let grant = try Self.load("grant").header
        #expect(grant.kind == .grant && grant.call == 5 && grant.actor == 100_000 && grant.flags == [])
        let piece = try Self.load("piece")
        let header = try piece.header
        #expect(header.kind == .piece && header.call == 5 && header.actor == 64 && header.flags == .checksummed)
        #expect(try piece.bulk == Array(0..<16))
        let shuffled = try Self.load("piece-shuffled")
        #expect(try shuffled.header.flags == [.checksummed, .bulkIsCompressed, .bulkIsShuffled])
        let bulk = try BulkCodec.decompress(slice(shuffled.bulk), of: shuffled.header, pool: BufferPool())
        let expected = (0..<300).flatMap { index in
            withUnsafeBytes(of: (Float16(1) + Float16(index) / 1024).bitPattern.littleEndian) { Array($0) }
        }
        #expect(bulk.withUnsafeBytes { Array($0) } == expected + [7])
        #expect(try Self.load("landed").header.kind == .landed)
        let revoke = try Self.load("revoke")
        #expect(try revoke.header.kind == .revoke && revoke.header.call == 5)
        #expect(try revoke.decode(as: RemoteFailure.self).code == "timedOut")
        let abandon = try Self.load("abandon")
        #expect(try abandon.header.kind == .abandon && abandon.header.call == 6)
    }

    @Test func lanesMadeAgain() throws {
        let acknowledge = try Self.load("acknowledge").header
        #expect(acknowledge.kind == .acknowledge && acknowledge.call == 64)
        let hello: Hello = try Self.load("hello-again").decode()
        #expect(hello.lane == .control && hello.link == 0x1122_3344_5566_7788)
        #expect(hello.generation == 2 && hello.received == 65)
        let welcome: Welcome = try Self.load("welcome-again").decode()
        #expect(welcome.received == 300)
    }

    @Test func enrolment() throws {
        let enrol = try Self.load("enrol")
        #expect(try enrol.header.kind == .enrol && enrol.header.flags == [])
        let asked = Enrol(
            tokenID: "k7f3qa", secret: "w4x9c2m8p5t1z6b3", certificateRequest: Array(0x30..<0x60), role: "node",
            node: try #require(NodeID("node-1")))
        #expect(try enrol.decode() == asked)
        #expect(!"\(asked)".contains(asked.secret))
        let enrolled = try Self.load("enrolled")
        #expect(try enrolled.header.kind == .enrolled)
        let granted: Enrolled = try enrolled.decode()
        #expect(granted.certificates.map(\.count) == [44, 44] && granted.certificates[1].last == 139)
        #expect(granted.revokedSerials == ["4a00ff", "00c1"])
    }

    @Test func certificates() throws {
        let renew = try Self.load("renew-certificate")
        #expect(try renew.header.kind == .call && renew.header.method == 8)
        #expect(try renew.decode(as: RenewCertificate.self).certificateRequest == Array(0x30..<0x60))
        let revoked = try Self.load("certificates-revoked")
        #expect(try revoked.header.kind == .oneWay && revoked.header.method == 18)
        #expect(try revoked.decode(as: CertificatesRevoked.self).serials == ["4a00ff", "00c1"])
    }

    @Test func register() throws {
        let frame = try Self.load("register")
        let header = try frame.header
        #expect(header.kind == .call && header.method == 1 && header.call == 1 && header.actor == 1)
        let expected = NodeDescription(
            node: try #require(NodeID("node-1")), incarnation: Incarnation(0x0123_4567_89AB_CDEF), host: "127.0.0.1",
            port: 7101, processID: 4242, threadCount: 2, coreCount: 8, numaNodeCount: 1, instructionSet: "avx512vnni",
            memoryLimitBytes: 16 << 30, readBytesPerSecond: 1.5e10, multiplyAddsPerSecond: 3.65e11, version: "0.1.0")
        #expect(try frame.decode() == RegisterRequest(description: expected))
    }

    @Test func forward() throws {
        var sampling = SamplingParameters()
        sampling.temperature = 0.75
        sampling.topK = 40
        sampling.topP = 0.9375
        sampling.minP = 0.0625
        sampling.repetitionPenalty = 1.125
        sampling.presencePenalty = 0.5
        sampling.frequencyPenalty = -0.25
        sampling.seed = UInt64.max
        sampling.choice = 1
        sampling.topLogprobCount = 5
        var scoring = SamplingParameters()
        scoring.repetitionPenalty = 1.5
        let expected = Step(
            pipeline: PipelineID(1), epoch: Epoch(5), number: StepNumber(1),
            sequences: [
                SequenceRows(
                    sequence: SequenceID(11), firstPosition: 0, tokens: [1, 4093, 198, 2683], blocks: [BlockID(0)],
                    samples: true, introduction: SequenceIntroduction(sampling: sampling, promptTokenCount: 4)),
                SequenceRows(
                    sequence: SequenceID(300), firstPosition: 64, tokens: [49151, 0], firstBlockIndex: 2,
                    blocks: [BlockID(7)], scores: true, followingToken: 0, suppressesEnd: true,
                    introduction: SequenceIntroduction(
                        sampling: scoring, promptTokenCount: 70, earlierTokens: Array(100..<164))),
            ],
            ended: [SequenceID(9), SequenceID(UInt64.max)])
        let first: ForwardStep = try Self.load("forward-first").decode()
        #expect(first.step == expected)
        #expect(first.term == Term(3) && first.bulk == nil)

        let next: ForwardStep = try Self.load("forward-next").decode()
        let states = (0..<24).map { Float($0) * 0.5 - 3 }
        #expect(next.bulk?.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } == states)
        let compressed: ForwardStep = try Self.load("forward-compressed").decode()
        #expect(compressed.bulk?.copiedBytes == [UInt8](repeating: 0, count: 96))
        #expect(compressed.step == next.step)
    }

    @Test func finished() throws {
        let finished: StepFinished = try Self.load("step-finished").decode()
        let expected = StepResult(
            pipeline: PipelineID(1), epoch: Epoch(5), number: StepNumber(2),
            outputs: [
                SequenceOutput(
                    sequence: SequenceID(11),
                    sampled: TokenScore(
                        token: 28, position: 4, logprob: -0.5,
                        top: [RankedToken(token: 28, logprob: -0.5), RankedToken(token: 30, logprob: -1.25)])),
                SequenceOutput(
                    sequence: SequenceID(300),
                    scored: [
                        TokenScore(token: 0, position: 65, logprob: -2),
                        TokenScore(token: 17, position: 66, logprob: -0.0),
                    ]),
                SequenceOutput(sequence: SequenceID(12), sampled: TokenScore(token: 49151, position: 33)),
                SequenceOutput(sequence: SequenceID(13), isNotFinite: true),
            ])
        #expect(finished.result == expected)
        #expect(finished.result.outputs[1].scored[1].logprob.sign == .minus)
    }
}
