import Memory
import Testing
import Vocabulary
import Wire

/// Messages that are well-formed protobuf and still make no sense.
@Suite struct MessageValidationTests {
    private func expect<Message: WireValue>(
        _ type: Message.Type, refuses field: String, stamp: FrameStamp = .none, bulk: BufferSlice? = nil,
        _ build: (inout ProtobufWriter) -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let control = ProtobufWriter(build).bytes
        let error = #expect(throws: WireError.self, sourceLocation: sourceLocation) {
            _ = try Message.decode(control, stamp: stamp, bulk: bulk)
        }
        #expect(error?.message.contains(field) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    }

    @Test func handshake() {
        func hello(_ writer: inout ProtobufWriter, node: String = "n", versions: [UInt64] = [1, 1], role: UInt64 = 2) {
            writer.number(1, versions[0])
            writer.number(2, versions[1])
            writer.text(4, node)
            writer.number(6, role)
        }
        expect(Hello.self, refuses: "Hello.node") { hello(&$0, node: "") }
        expect(Hello.self, refuses: "Hello.node") { hello(&$0, node: "a/b") }
        expect(Hello.self, refuses: "Hello.node") { hello(&$0, node: String(repeating: "a", count: 65)) }
        expect(Hello.self, refuses: "Hello.versionMin") { hello(&$0, versions: [0, 1]) }
        expect(Hello.self, refuses: "Hello.versionMin") { hello(&$0, versions: [256, 300]) }
        expect(Hello.self, refuses: "Hello.versionMax") { hello(&$0, versions: [2, 1]) }
        expect(Hello.self, refuses: "Hello.role") { hello(&$0, role: 0) }
        expect(Hello.self, refuses: "Hello.role") { hello(&$0, role: 4) }
        expect(Hello.self, refuses: "Hello.role") { hello(&$0, role: UInt64.max) }
        expect(Hello.self, refuses: "Hello.lane") {
            hello(&$0)
            $0.number(7, 3)
        }
        expect(Hello.self, refuses: "Hello.listenPort") {
            hello(&$0)
            $0.number(8, 65_536)
        }
        expect(Hello.self, refuses: "Hello.host: not UTF-8") {
            hello(&$0)
            $0.bytes(9, [0xC3, 0x28])
        }
        expect(Hello.self, refuses: "Hello.host: 256 bytes") {
            hello(&$0)
            $0.text(9, String(repeating: "h", count: 256))
        }
        expect(Welcome.self, refuses: "Welcome.version") { $0.number(1, 0) }
        expect(Welcome.self, refuses: "Welcome.node") { $0.number(1, 1) }
        expect(RemoteFailure.self, refuses: "RemoteFailure.code") { $0.text(1, String(repeating: "c", count: 65)) }
        expect(RemoteFailure.self, refuses: "RemoteFailure.message") { $0.text(2, String(repeating: "c", count: 2049)) }
    }

    @Test func enrolment() throws {
        func enrol(_ writer: inout ProtobufWriter, node: String = "n", role: UInt64 = 2, request: Int = 1) {
            writer.bytes(3, [UInt8](repeating: 1, count: request))
            writer.number(4, role)
            writer.text(5, node)
        }
        expect(Enrol.self, refuses: "Enrol.node") { enrol(&$0, node: "") }
        expect(Enrol.self, refuses: "Enrol.role") { enrol(&$0, role: 0) }
        expect(Enrol.self, refuses: "Enrol.certificateRequest: 4097 bytes") { enrol(&$0, request: 4097) }
        expect(Enrol.self, refuses: "Enrol.secret: 256 bytes") {
            enrol(&$0)
            $0.text(2, String(repeating: "s", count: 256))
        }
        expect(Enrolled.self, refuses: "Enrolled.certificates: 9 elements") {
            for _ in 0..<9 { $0.bytes(1, [1]) }
        }
        expect(Enrolled.self, refuses: "Enrolled.certificates[1]: 8193 bytes") {
            $0.bytes(1, [1])
            $0.bytes(1, [UInt8](repeating: 1, count: 8193))
        }
        for serial in ["", "0", "0G", "AB", String(repeating: "00", count: 21)] {
            expect(Enrolled.self, refuses: "Enrolled.revokedSerials[0]") { $0.text(2, serial) }
        }
        expect(Enrolled.self, refuses: "Enrolled.revokedSerials[]: 4097 elements") {
            for _ in 0..<4097 { $0.text(2, "00") }
        }
        expect(RenewCertificate.self, refuses: "RenewCertificate.certificateRequest: 4097 bytes") {
            $0.bytes(1, [UInt8](repeating: 1, count: 4097))
        }
        expect(CertificatesRevoked.self, refuses: "CertificatesRevoked.serials[1]") {
            $0.text(1, "00")
            $0.text(1, "0x")
        }
        // What is as large as it may be has room in its frame.
        let largest = Enrolled(
            certificates: Array(repeating: [UInt8](repeating: 0, count: 8192), count: 8),
            revokedSerials: Array(repeating: String(repeating: "f", count: 40), count: 4096))
        #expect(try largest.encodeControl().count <= FrameLimits.enrolledControlByteCountMax)
    }

    @Test func membershipAndStages() {
        expect(RegisterRequest.self, refuses: "RegisterRequest.description: missing") { _ in }
        expect(RegisterRequest.self, refuses: "NodeDescription.node") { $0.message(1) { _ in } }
        expect(RegisterRequest.self, refuses: "NodeDescription.port") {
            $0.message(1) {
                $0.text(1, "a")
                $0.number(4, 70_000)
            }
        }
        expect(RegisterRequest.self, refuses: "incarnation", stamp: FrameStamp(incarnation: Incarnation(5))) {
            $0.message(1) { $0.text(1, "a") }
        }
        expect(StageProgress.self, refuses: "StageProgress.doneBytes") {
            $0.number(2, 5)
            $0.number(3, 4)
        }
        func prepare(
            _ writer: inout ProtobufWriter, index: UInt64 = 0, count: UInt64 = 1, layers: [UInt64] = [0, 4],
            rows: UInt64 = 64
        ) {
            writer.number(2, index)
            writer.number(3, count)
            writer.message(6) {
                $0.number(1, layers[0])
                $0.number(2, layers[1])
            }
            writer.number(8, rows)
        }
        expect(PrepareStage.self, refuses: "PrepareStage.stageCount") { prepare(&$0, count: 0) }
        expect(PrepareStage.self, refuses: "PrepareStage.stageIndex") { prepare(&$0, index: 1) }
        expect(PrepareStage.self, refuses: "PrepareStage.next") { prepare(&$0, count: 2) }
        expect(PrepareStage.self, refuses: "PrepareStage.rowCountMax") { prepare(&$0, rows: 65_537) }
        expect(PrepareStage.self, refuses: "StageUnits.layers") { prepare(&$0, layers: [3, 3]) }
        expect(PrepareStage.self, refuses: "StageUnits.layers") { prepare(&$0, layers: [4, 3]) }
        expect(PrepareStage.self, refuses: "StageUnits.layersUpper") { prepare(&$0, layers: [4, UInt64(UInt32.max)]) }
        expect(PrepareStage.self, refuses: "PrepareStage.units: missing") { $0.number(3, 1) }
    }

    @Test func steps() throws {
        func sequence(_ writer: inout ProtobufWriter, _ build: (inout ProtobufWriter) -> Void) {
            writer.message(2) { $0.numbers(3, [1]) }
            writer.message(2, build)
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].tokens") { sequence(&$0) { _ in } }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].tokens") {
            sequence(&$0) { $0.numbers(3, [1 << 31]) }
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].tokens: 65536 elements; at most 65535") {
            sequence(&$0) { $0.numbers(3, [UInt64](repeating: 1, count: 65_536)) }
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].firstPosition") {
            sequence(&$0) {
                $0.number(2, UInt64(Int32.max))
                $0.numbers(3, [1])
            }
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].blocks") {
            sequence(&$0) {
                $0.number(2, 64)
                $0.numbers(3, [1])
                $0.number(4, 1)
                $0.numbers(5, [9])
            }
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].firstBlockIndex") {
            sequence(&$0) {
                $0.numbers(3, [1])
                $0.number(4, UInt64(UInt32.max))
            }
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].followingToken") {
            sequence(&$0) {
                $0.numbers(3, [1])
                $0.number(8, 5)
            }
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].introduction.topLogprobCount") {
            sequence(&$0) {
                $0.numbers(3, [1])
                $0.message(10) { $0.number(10, 22) }
            }
        }
        expect(ForwardStep.self, refuses: "ForwardStep.sequences[1].introduction.earlierTokens") {
            sequence(&$0) {
                $0.number(2, 5)
                $0.numbers(3, [1])
                $0.message(10) { $0.numbers(12, [1, 2]) }
            }
        }
        for byteCount in [0, 1, 3, 9, 13] {
            expect(ForwardStep.self, refuses: "hidden states", bulk: try slice([UInt8](repeating: 0, count: byteCount)))
            {
                sequence(&$0) { $0.numbers(3, [1]) }
            }
        }
        expect(ForwardStep.self, refuses: "hidden states", bulk: try slice([0, 0, 0, 0])) { _ in }
    }

    @Test func results() throws {
        func sampled(_ writer: inout ProtobufWriter, _ build: (inout ProtobufWriter) -> Void) {
            writer.message(2) { $0.message(3, build) }
        }
        let field = "StepFinished.outputs[0].sampled"
        expect(StepFinished.self, refuses: field) { sampled(&$0) { _ in } }
        expect(StepFinished.self, refuses: field) { sampled(&$0) { $0.numbers(1, [1]) } }
        expect(StepFinished.self, refuses: field) {
            sampled(&$0) {
                $0.numbers(1, [1, 2])
                $0.numbers(2, [1, 2])
            }
        }
        // Counts, ranked tokens and how many log-probabilities they have.
        let badColumns: [([UInt64], [UInt64], Int)] = [
            ([1], [], 0), ([2], [1], 1), ([21], [UInt64](repeating: 1, count: 21), 21), ([], [1], 1), ([1], [1], 0),
            ([1], [1 << 31], 1), ([1, 1], [1, 1], 2), ([0], [1], 1),
        ]
        for (counts, tokens, logprobCount) in badColumns {
            expect(StepFinished.self, refuses: field) {
                sampled(&$0) {
                    $0.numbers(1, [1])
                    $0.numbers(2, [1])
                    $0.numbers(4, counts)
                    $0.numbers(5, tokens)
                    $0.bytes(6, [UInt8](repeating: 0, count: 4 * logprobCount))
                }
            }
        }
        expect(StepFinished.self, refuses: "bulk", bulk: try slice([1])) { _ in }
    }

    @Test func topologies() {
        expect(TopologyReply.self, refuses: "TopologyReply.nodes[0].description: missing") { $0.message(1) { _ in } }
        expect(TopologyReply.self, refuses: "TopologyReply.pipelines[1].freeBlockCount") {
            $0.message(2) { _ in }
            $0.message(2) {
                $0.number(8, 1)
                $0.number(9, 2)
            }
        }
        expect(TopologyReply.self, refuses: "TopologyReply.pipelines[0].replica") {
            $0.message(2) {
                $0.number(10, 3)
                $0.number(11, 2)
            }
        }
        expect(TopologyReply.self, refuses: "TopologyReply.nodes: 4097 elements") { writer in
            for _ in 0...4096 { writer.message(1) { _ in } }
        }
    }

    /// Two bytes a message on the wire would be a hundred in memory.
    @Test func floodsOfEmptyPartsAreRefused() {
        let flood = [UInt8](repeating: 0, count: 4 << 20).indices.map { $0.isMultiple(of: 2) ? UInt8(0x12) : 0 }
        #expect(kindOfError { _ = try ForwardStep.decode(flood) } == .malformedMessage)
        #expect(kindOfError { _ = try StepFinished.decode(flood) } == .malformedMessage)
        #expect(kindOfError { _ = try Hello.decode(flood + [0]) } == .tooLarge)
    }

    @Test func whatHasNoFormIsNotSent() {
        func step(_ rows: SequenceRows) -> ForwardStep {
            ForwardStep(
                step: Step(pipeline: PipelineID(1), epoch: Epoch(1), number: .first, sequences: [rows]), term: Term(1))
        }
        let good = SequenceRows(sequence: SequenceID(1), firstPosition: 0, tokens: [1])
        #expect(kindOfError { _ = try step(good).encodeControl() } == nil)
        var rows = good
        rows.tokens = [1, -1]
        #expect(kindOfError { _ = try step(rows).encodeControl() } == .unencodable)
        rows = good
        rows.firstPosition = -1
        #expect(kindOfError { _ = try step(rows).encodeControl() } == .unencodable)
        rows.firstPosition = Int.max
        #expect(kindOfError { _ = try step(rows).encodeControl() } == .unencodable)
        rows = good
        rows.tokens = [TokenID](repeating: 1, count: 65_537)
        #expect(kindOfError { _ = try step(rows).encodeControl() } == .tooLarge)
        let hello = Hello(node: .coordinator, incarnation: Incarnation(1), role: "node", lane: .bulk)
        for change: (inout Hello) -> Void in [
            { $0.role = "king" }, { $0.programVersion = "1\0" }, { $0.listenPort = -1 },
            { $0.host = String(repeating: "h", count: 256) },
        ] {
            var changed = hello
            change(&changed)
            #expect(kindOfError { _ = try changed.encodeControl() } == .unencodable)
        }
        let reply = RegisterReply(term: Term(1), beatIntervalMilliseconds: -1)
        #expect(kindOfError { _ = try reply.encodeControl() } == .unencodable)
    }
}
