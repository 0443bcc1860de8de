import Memory
import Testing
import Vocabulary
import Wire
import WireSamples

@Suite struct MessageRoundTripTests {
    @Test func everyMessageComesBack() throws {
        var random = RandomSource(seed: 10)
        for _ in 0..<300 {
            for message in random.everyMessage() { try expectRoundTrip(message) }
        }
    }

    private func expectRoundTrip<Message: WireValue>(_ message: Message) throws {
        let back = try message.overTheWire()
        #expect(back.stamp == message.stamp)
        // NaN differs from itself, so values are compared by the bytes they encode to and by their text.
        #expect(try back.encodeControl() == message.encodeControl())
        #expect("\(back)" == "\(message)")
    }

    @Test func defaultsComeBack() throws {
        for type in MessageCatalog.all { try expectRoundTrip(type.init()) }
    }

    @Test func everyMessageOfTheCatalogIsTested() {
        var random = RandomSource(seed: 11)
        let made = Set(random.everyMessage().map { "\(type(of: $0))" })
        #expect(made == Set(MessageCatalog.all.map { "\($0)" }))
    }

    @Test func logprobsKeepTheirBits() throws {
        let patterns: [UInt32] = [0, 0x8000_0000, 1, 0x7F80_0000, 0xFF80_0000, 0x7FC1_2345, 0xFFFF_FFFF, 0x7FA0_0001]
        let scores = patterns.map { bits in
            TokenScore(
                token: 1, position: 2, logprob: Float(bitPattern: bits),
                top: [RankedToken(token: 3, logprob: Float(bitPattern: bits))])
        }
        for (index, score) in scores.enumerated() {
            let output = SequenceOutput(sequence: SequenceID(1), scored: scores, sampled: score)
            let back = try finished([output]).overTheWire()
            #expect(back.result.outputs[0].scored.map(\.logprob.bitPattern) == patterns)
            #expect(back.result.outputs[0].scored.map(\.top[0].logprob.bitPattern) == patterns)
            #expect(back.result.outputs[0].sampled?.logprob.bitPattern == patterns[index])
        }
    }

    @Test func stageTimesTravelWithTheResult() throws {
        var message = finished([])
        message.result.stageNanoseconds = [.max, 1]
        message.result.waitedNanoseconds = 2
        #expect(try message.overTheWire() == message)
        message.result.stageNanoseconds = Array(repeating: 1, count: MessageLimits.stageCountMax + 1)
        #expect(throws: WireError.self) { try message.overTheWire() }
    }

    @Test func hiddenStatesTravelBeside() throws {
        let rows = SequenceRows(sequence: SequenceID(1), firstPosition: 0, tokens: [1, 2, 3])
        var step = Step(pipeline: PipelineID(1), epoch: Epoch(2), number: StepNumber(3), sequences: [rows])
        step.stageNanoseconds = [5, 0, .max]
        step.waitedNanoseconds = 77
        let states = try slice([UInt8](repeating: 9, count: 3 * 4 * 5))
        let message = ForwardStep(step: step, term: Term(7), incarnation: Incarnation(8), hiddenStates: states)
        let back = try message.overTheWire()
        #expect(back.step == step)
        #expect(back.term == Term(7) && back.incarnation == Incarnation(8))
        #expect(back.bulk?.base == states.base && back.bulk?.byteCount == states.byteCount)
        #expect(
            message.stamp
                == FrameStamp(
                    term: Term(7), incarnation: Incarnation(8), epoch: Epoch(2), step: StepNumber(3)))
        #expect(try message.encodeControl().count < 40)
    }

    @Test func reasonsAreCutAtACharacter() throws {
        let long = RemoteFailure(
            code: String(repeating: "c", count: 100), message: String(repeating: "漢", count: 5000))
        let back = try long.overTheWire()
        #expect(back.code == String(repeating: "c", count: 64))
        #expect(back.message == String(repeating: "漢", count: 2048 / 3))
        #expect(try long.encodeControl().count <= FrameLimits.failureControlByteCountMax)
        #expect(try RemoteFailure(code: "a", message: "b\0c").overTheWire().message == "b c")
        #expect(try StepFailed(pipeline: PipelineID(1), reason: "x\0", stamp: .none).overTheWire().reason == "x ")
    }

    /// A peer of a later version may send fields that this one does not know.
    @Test func unknownFieldsArePassedOver() throws {
        var random = RandomSource(seed: 12)
        let unknown = ProtobufWriter {
            $0.number(1000, 5)
            $0.text(1001, "later")
        }
        for message in random.everyMessage() { try expectUnknownFieldsPass(message, unknown.bytes) }
    }

    private func expectUnknownFieldsPass<Message: WireValue>(_ message: Message, _ unknown: [UInt8]) throws {
        let control = try message.encodeControl()
        let back = try Message.decode(control + unknown, stamp: message.stamp, bulk: message.bulk)
        #expect(try back.encodeControl() == control)
    }
}

func finished(_ outputs: [SequenceOutput]) -> StepFinished {
    StepFinished(
        result: StepResult(pipeline: PipelineID(1), epoch: Epoch(2), number: StepNumber(3), outputs: outputs),
        term: Term(4))
}
