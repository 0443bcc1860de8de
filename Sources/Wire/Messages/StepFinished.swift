import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Coordinator.stepFinished`: what the last stage sampled and scored. The result's epoch and number
/// travel in the stamp.
public struct StepFinished: WireValue, Hashable {
    public var result: StepResult
    public var term: Term
    /// The sender's.
    public var incarnation: Incarnation

    public init(result: StepResult, term: Term, incarnation: Incarnation = Incarnation(0)) {
        self.result = result
        self.term = term
        self.incarnation = incarnation
    }

    public init() {
        self.init(
            result: StepResult(pipeline: PipelineID(0), epoch: Epoch(0), number: StepNumber(0), outputs: []),
            term: Term(0))
    }

    public var stamp: FrameStamp {
        FrameStamp(term: term, incarnation: incarnation, epoch: result.epoch, step: result.number)
    }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena(encoding: 256 + 384 * result.outputs.count)
        let message = try arena.make(shardline__v1__step_finished__init)
        message.pointee.pipeline = result.pipeline.rawValue
        if !result.outputs.isEmpty {
            let outputs = try arena.take(
                result.outputs.count, of: UnsafeMutablePointer<Shardline__V1__SequenceOutput>?.self)
            for (index, output) in result.outputs.enumerated() {
                outputs[index] = try Self.encode(output, at: index, in: arena)
            }
            message.pointee.n_outputs = result.outputs.count
            message.pointee.outputs = outputs
        }
        let times = try StageTimesCodec.encode(result.stageNanoseconds, in: arena)
        message.pointee.n_stage_nanoseconds = times.count
        message.pointee.stage_nanoseconds = times.list
        message.pointee.waited_nanoseconds = result.waitedNanoseconds
        return try arena.pack(message, as: "StepFinished")
    }

    private static func encode(
        _ output: SequenceOutput, at index: Int, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<Shardline__V1__SequenceOutput> {
        let message = try arena.make(shardline__v1__sequence_output__init)
        message.pointee.sequence = output.sequence.rawValue
        message.pointee.is_not_finite = output.isNotFinite ? 1 : 0
        if !output.scored.isEmpty {
            message.pointee.scored = try TokenScoresCodec.encode(
                output.scored, Field("StepFinished.outputs[].scored", at: index), in: arena)
        }
        if let sampled = output.sampled {
            message.pointee.sampled = try TokenScoresCodec.encode(
                [sampled], Field("StepFinished.outputs[].sampled", at: index), in: arena)
        }
        return message
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "StepFinished")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "StepFinished", shardline__v1__step_finished__unpack)
        let outputCount = try FieldReader.listCount(
            message.pointee.n_outputs, max: MessageLimits.rowCountMax, Field("StepFinished.outputs"))
        var result = StepResult(
            pipeline: PipelineID(message.pointee.pipeline), epoch: stamp.epoch, number: stamp.step, outputs: [])
        result.outputs.reserveCapacity(outputCount)
        var scoredCount = 0
        for index in 0..<outputCount {
            let output = try FieldReader.element(
                message.pointee.outputs, index, Field("StepFinished.outputs[]", at: index))
            result.outputs.append(
                try Self.decode(output, at: index, scoredCountMax: MessageLimits.rowCountMax - scoredCount))
            scoredCount += result.outputs[index].scored.count
        }
        result.waitedNanoseconds = message.pointee.waited_nanoseconds
        result.stageNanoseconds = try StageTimesCodec.decode(
            message.pointee.stage_nanoseconds, count: message.pointee.n_stage_nanoseconds,
            Field("StepFinished.stage_nanoseconds"))
        self.init(result: result, term: stamp.term, incarnation: stamp.incarnation)
    }

    private static func decode(
        _ pointer: UnsafePointer<Shardline__V1__SequenceOutput>, at index: Int, scoredCountMax: Int
    ) throws(WireError) -> SequenceOutput {
        var output = SequenceOutput(
            sequence: SequenceID(pointer.pointee.sequence), isNotFinite: pointer.pointee.is_not_finite != 0)
        if let scored = pointer.pointee.scored {
            output.scored = try TokenScoresCodec.decode(
                scored, max: scoredCountMax, Field("StepFinished.outputs[].scored", at: index))
        }
        if let sampled = pointer.pointee.sampled {
            let field = Field("StepFinished.outputs[].sampled", at: index)
            guard let score = try TokenScoresCodec.decode(sampled, max: 1, field).first else {
                throw field.malformed("holds no score")
            }
            output.sampled = score
        }
        return output
    }
}
