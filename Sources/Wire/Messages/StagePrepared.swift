import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Coordinator.stagePrepared`: the stage is ready for its first step. Stamp: term, incarnation, epoch.
public struct StagePrepared: WireValue, Hashable {
    public var pipeline: PipelineID
    public var stamp: FrameStamp

    public init(pipeline: PipelineID, stamp: FrameStamp) {
        self.pipeline = pipeline
        self.stamp = stamp
    }

    public init() { self.init(pipeline: PipelineID(0), stamp: .none) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__stage_prepared__init)
        message.pointee.pipeline = pipeline.rawValue
        return try arena.pack(message, as: "StagePrepared")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "StagePrepared")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "StagePrepared", shardline__v1__stage_prepared__unpack
        ).pointee
        self.init(pipeline: PipelineID(message.pipeline), stamp: stamp)
    }
}
