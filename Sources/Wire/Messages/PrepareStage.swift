import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Node.prepare`: load this stage. The epoch travels in the stamp.
public struct PrepareStage: WireValue, Hashable {
    public var assignment: StageAssignment
    public var term: Term
    /// The sender's.
    public var incarnation: Incarnation

    public init(assignment: StageAssignment, term: Term, incarnation: Incarnation = Incarnation(0)) {
        self.assignment = assignment
        self.term = term
        self.incarnation = incarnation
    }

    public init() {
        let units = StageUnits(layers: 0..<1, hasEmbedding: true, hasHead: true)
        self.init(
            assignment: StageAssignment(
                pipeline: PipelineID(0), epoch: Epoch(0), stageIndex: 0, stageCount: 1, model: "",
                modelFingerprint: "", units: units, blockCount: 0, rowCountMax: 1, next: nil),
            term: Term(0))
    }

    public var stamp: FrameStamp { FrameStamp(term: term, incarnation: incarnation, epoch: assignment.epoch) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__prepare_stage__init)
        message.pointee.pipeline = assignment.pipeline.rawValue
        message.pointee.stage_index = try UInt32(assignment.stageIndex, Field("PrepareStage.stageIndex"))
        message.pointee.stage_count = try UInt32(assignment.stageCount, Field("PrepareStage.stageCount"))
        message.pointee.model = try arena.string(assignment.model, Field("PrepareStage.model"))
        message.pointee.model_fingerprint = try arena.string(
            assignment.modelFingerprint, Field("PrepareStage.modelFingerprint"))
        message.pointee.units = try StageCodec.encode(assignment.units, in: arena)
        message.pointee.block_count = try UInt32(assignment.blockCount, Field("PrepareStage.blockCount"))
        message.pointee.row_count_max = try UInt32(assignment.rowCountMax, Field("PrepareStage.rowCountMax"))
        if let next = assignment.next { message.pointee.next = try StageCodec.encode(next, in: arena) }
        if let previous = assignment.previous {
            message.pointee.previous = try arena.string(previous.name, Field("PrepareStage.previous"))
        }
        return try arena.pack(message, as: "PrepareStage")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "PrepareStage")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "PrepareStage", shardline__v1__prepare_stage__unpack).pointee
        let stageCount = try FieldReader.count(
            message.stage_count, in: 1...MessageLimits.stageCountMax, Field("PrepareStage.stageCount"))
        let stageIndex = try FieldReader.count(
            message.stage_index, in: 0...(stageCount - 1), Field("PrepareStage.stageIndex"))
        let units = try FieldReader.required(message.units, Field("PrepareStage.units"))
        let next: PeerAddress? = if let next = message.next { try StageCodec.decode(next) } else { nil }
        guard (next == nil) == (stageIndex == stageCount - 1) else {
            throw Field("PrepareStage.next").malformed(
                "stage \(stageIndex) of \(stageCount) "
                    + (next == nil ? "has no next stage" : "is the last one and has a next stage"))
        }
        let previousField = Field("PrepareStage.previous")
        let hasPrevious = try !FieldReader.string(message.previous, previousField).isEmpty
        let previous = hasPrevious ? try FieldReader.node(message.previous, previousField) : nil
        guard previous == nil || stageIndex > 0 else {
            throw previousField.malformed("the first stage takes its steps from the coordinator")
        }
        self.init(
            assignment: StageAssignment(
                pipeline: PipelineID(message.pipeline), epoch: stamp.epoch, stageIndex: stageIndex,
                stageCount: stageCount, model: try FieldReader.string(message.model, Field("PrepareStage.model")),
                modelFingerprint: try FieldReader.string(
                    message.model_fingerprint, Field("PrepareStage.modelFingerprint")),
                units: try StageCodec.decode(units),
                blockCount: try FieldReader.count(
                    message.block_count, in: 0...Int(Int32.max), Field("PrepareStage.blockCount")),
                rowCountMax: try FieldReader.count(
                    message.row_count_max, in: 1...MessageLimits.rowCountMax, Field("PrepareStage.rowCountMax")),
                next: next, previous: previous),
            term: stamp.term, incarnation: stamp.incarnation)
    }
}
