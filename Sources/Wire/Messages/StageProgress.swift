import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Coordinator.stageProgress`: how far loading is. Stamp: term, incarnation, epoch.
public struct StageProgress: WireValue, Hashable {
    public var pipeline: PipelineID
    /// Of `totalBytes`, never more.
    public var doneBytes: UInt64
    public var totalBytes: UInt64
    public var stamp: FrameStamp

    public init(pipeline: PipelineID, doneBytes: UInt64, totalBytes: UInt64, stamp: FrameStamp) {
        self.pipeline = pipeline
        self.doneBytes = doneBytes
        self.totalBytes = totalBytes
        self.stamp = stamp
    }

    public init() { self.init(pipeline: PipelineID(0), doneBytes: 0, totalBytes: 0, stamp: .none) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__stage_progress__init)
        message.pointee.pipeline = pipeline.rawValue
        message.pointee.done_bytes = doneBytes
        message.pointee.total_bytes = totalBytes
        return try arena.pack(message, as: "StageProgress")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "StageProgress")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "StageProgress", shardline__v1__stage_progress__unpack
        ).pointee
        guard message.done_bytes <= message.total_bytes else {
            throw Field("StageProgress.doneBytes").malformed(
                "\(message.done_bytes) of \(message.total_bytes) bytes are done")
        }
        self.init(
            pipeline: PipelineID(message.pipeline), doneBytes: message.done_bytes, totalBytes: message.total_bytes,
            stamp: stamp)
    }
}
