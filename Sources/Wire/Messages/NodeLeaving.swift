import CProtocols
public import Memory

/// The argument of `Coordinator.nodeLeaving`: the sender stops soon.
public struct NodeLeaving: WireValue, Hashable {
    /// For people; cut to `MessageLimits.reasonByteCountMax` when it is sent.
    public var reason: String
    public var stamp: FrameStamp

    public init(reason: String, stamp: FrameStamp = .none) {
        self.reason = reason
        self.stamp = stamp
    }

    public init() { self.init(reason: "") }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__node_leaving__init)
        message.pointee.reason = try arena.reason(reason)
        return try arena.pack(message, as: "NodeLeaving")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "NodeLeaving")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "NodeLeaving", shardline__v1__node_leaving__unpack).pointee
        self.init(reason: try FieldReader.reason(message.reason, Field("NodeLeaving.reason")), stamp: stamp)
    }
}
