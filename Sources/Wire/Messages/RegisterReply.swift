import CProtocols
public import Memory
public import Vocabulary

/// The result of `Coordinator.register`.
public struct RegisterReply: WireValue, Hashable {
    public var term: Term
    /// How often the node is expected to show that it lives.
    public var beatIntervalMilliseconds: Int

    public init(term: Term, beatIntervalMilliseconds: Int) {
        self.term = term
        self.beatIntervalMilliseconds = beatIntervalMilliseconds
    }

    public init() { self.init(term: Term(0), beatIntervalMilliseconds: 0) }

    public var stamp: FrameStamp { FrameStamp(term: term) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__register_reply__init)
        message.pointee.beat_interval_milliseconds = try UInt32(
            beatIntervalMilliseconds, Field("RegisterReply.beatIntervalMilliseconds"))
        return try arena.pack(message, as: "RegisterReply")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "RegisterReply")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "RegisterReply", shardline__v1__register_reply__unpack
        ).pointee
        self.init(
            term: stamp.term,
            beatIntervalMilliseconds: try FieldReader.count(
                message.beat_interval_milliseconds, in: 0...3_600_000,
                Field("RegisterReply.beatIntervalMilliseconds")))
    }
}
