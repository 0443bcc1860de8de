import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Coordinator.stageFailed`: the stage cannot be had. Stamp: term, incarnation, epoch.
public struct StageFailed: WireValue, Hashable {
    public var pipeline: PipelineID
    /// For people; cut to `MessageLimits.reasonByteCountMax` when it is sent.
    public var reason: String
    public var stamp: FrameStamp

    public init(pipeline: PipelineID, reason: String, stamp: FrameStamp) {
        self.pipeline = pipeline
        self.reason = reason
        self.stamp = stamp
    }

    public init() { self.init(pipeline: PipelineID(0), reason: "", stamp: .none) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__stage_failed__init)
        message.pointee.pipeline = pipeline.rawValue
        message.pointee.reason = try arena.reason(reason)
        return try arena.pack(message, as: "StageFailed")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "StageFailed")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "StageFailed", shardline__v1__stage_failed__unpack).pointee
        self.init(
            pipeline: PipelineID(message.pipeline),
            reason: try FieldReader.reason(message.reason, Field("StageFailed.reason")), stamp: stamp)
    }
}
