import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Node.release`: forget this stage. Stamp: term and epoch.
public struct ReleaseStage: WireValue, Hashable {
    public var pipeline: PipelineID
    public var stamp: FrameStamp

    public init(pipeline: PipelineID, stamp: FrameStamp) {
        self.pipeline = pipeline
        self.stamp = stamp
    }

    public init() { self.init(pipeline: PipelineID(0), stamp: .none) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__release_stage__init)
        message.pointee.pipeline = pipeline.rawValue
        return try arena.pack(message, as: "ReleaseStage")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "ReleaseStage")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "ReleaseStage", shardline__v1__release_stage__unpack
        ).pointee
        self.init(pipeline: PipelineID(message.pipeline), stamp: stamp)
    }
}
