import CProtocols
public import Memory
public import Vocabulary

/// The argument of `Coordinator.register`: what a node is.
public struct RegisterRequest: WireValue, Hashable {
    public var description: NodeDescription

    public init(description: NodeDescription) { self.description = description }
    public init() { self.init(description: NodeDescriptionCodec.empty) }

    public var stamp: FrameStamp { FrameStamp(incarnation: description.incarnation) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__register_request__init)
        message.pointee.description = try NodeDescriptionCodec.encode(description, in: arena)
        return try arena.pack(message, as: "RegisterRequest")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "RegisterRequest")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "RegisterRequest", shardline__v1__register_request__unpack
        ).pointee
        let description = try FieldReader.required(message.description, Field("RegisterRequest.description"))
        self.init(description: try NodeDescriptionCodec.decode(description))
        guard stamp.incarnation == self.description.incarnation else {
            throw Field("RegisterRequest.description.incarnation").malformed(
                "\(self.description.incarnation), but the frame's stamp says \(stamp.incarnation)")
        }
    }
}
