import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Stage.forward`: run this step. Its epoch and number travel in the stamp, the hidden states that
/// the stage before has computed as bulk.
public struct ForwardStep: WireValue {
    public var step: Step
    public var term: Term
    /// The sender's.
    public var incarnation: Incarnation
    /// f32, little-endian, `[step.rowCount][hiddenSize]` in the step's order; nil for the first stage.
    public var hiddenStates: BufferSlice?

    public init(
        step: Step, term: Term, incarnation: Incarnation = Incarnation(0), hiddenStates: BufferSlice? = nil
    ) {
        self.step = step
        self.term = term
        self.incarnation = incarnation
        self.hiddenStates = hiddenStates
    }

    public init() {
        self.init(
            step: Step(pipeline: PipelineID(0), epoch: Epoch(0), number: StepNumber(0), sequences: []), term: Term(0))
    }

    public var stamp: FrameStamp {
        FrameStamp(term: term, incarnation: incarnation, epoch: step.epoch, step: step.number)
    }

    public var bulk: BufferSlice? { hiddenStates }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let rowCount = step.rowCount
        guard rowCount <= MessageLimits.rowCountMax else {
            throw WireError(
                .tooLarge, "ForwardStep: \(rowCount) rows in a step; at most \(MessageLimits.rowCountMax)")
        }
        try Self.validate(hiddenStates, rowCount: rowCount)
        let arena = try MessageArena(encoding: 256 + 256 * step.sequences.count + 4 * rowCount)
        let message = try arena.make(shardline__v1__forward_step__init)
        message.pointee.pipeline = step.pipeline.rawValue
        if !step.sequences.isEmpty {
            let sequences = try arena.take(step.sequences.count, of: UnsafeMutablePointer<CSequenceRows>?.self)
            for (index, rows) in step.sequences.enumerated() {
                sequences[index] = try SequenceRowsCodec.encode(rows, at: index, in: arena)
            }
            message.pointee.n_sequences = step.sequences.count
            message.pointee.sequences = sequences
        }
        if !step.ended.isEmpty {
            let ended = try arena.take(step.ended.count, of: UInt64.self)
            for (index, sequence) in step.ended.enumerated() { ended[index] = sequence.rawValue }
            message.pointee.n_ended = step.ended.count
            message.pointee.ended = ended
        }
        let times = try StageTimesCodec.encode(step.stageNanoseconds, in: arena)
        message.pointee.n_stage_nanoseconds = times.count
        message.pointee.stage_nanoseconds = times.list
        message.pointee.waited_nanoseconds = step.waitedNanoseconds
        return try arena.pack(message, as: "ForwardStep")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "ForwardStep", shardline__v1__forward_step__unpack)
        let sequenceCount = try FieldReader.listCount(
            message.pointee.n_sequences, max: MessageLimits.rowCountMax, Field("ForwardStep.sequences"))
        let endedCount = try FieldReader.listCount(
            message.pointee.n_ended, max: MessageLimits.rowCountMax, Field("ForwardStep.ended"))
        var step = Step(
            pipeline: PipelineID(message.pointee.pipeline), epoch: stamp.epoch, number: stamp.step, sequences: [])
        step.sequences.reserveCapacity(sequenceCount)
        var rowCount = 0
        for index in 0..<sequenceCount {
            let rows = try FieldReader.element(
                message.pointee.sequences, index, Field("ForwardStep.sequences[]", at: index))
            step.sequences.append(
                try SequenceRowsCodec.decode(rows, at: index, rowCountMax: MessageLimits.rowCountMax - rowCount))
            rowCount += step.sequences[index].tokens.count
        }
        if let ended = message.pointee.ended {
            step.ended = (0..<endedCount).map { SequenceID(ended[$0]) }
        }
        step.waitedNanoseconds = message.pointee.waited_nanoseconds
        step.stageNanoseconds = try StageTimesCodec.decode(
            message.pointee.stage_nanoseconds, count: message.pointee.n_stage_nanoseconds,
            Field("ForwardStep.stage_nanoseconds"))
        try Self.validate(bulk, rowCount: rowCount)
        self.init(step: step, term: stamp.term, incarnation: stamp.incarnation, hiddenStates: bulk)
    }

    /// Hidden states are whole f32 numbers, the same count for each row.
    private static func validate(_ hiddenStates: BufferSlice?, rowCount: Int) throws(WireError) {
        guard let hiddenStates else { return }
        let lineCount = rowCount * MemoryLayout<Float>.size
        guard lineCount > 0, hiddenStates.byteCount > 0, hiddenStates.byteCount.isMultiple(of: lineCount) else {
            throw WireError(
                .malformedBulk,
                "ForwardStep: \(hiddenStates.byteCount) bytes of bulk are no f32 hidden states of \(rowCount) rows")
        }
    }
}
