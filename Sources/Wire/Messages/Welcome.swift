import CProtocols
public import Memory
public import Vocabulary

/// The answer that admits a connection.
public struct Welcome: WireValue, Hashable {
    /// The version that both ends speak from now on.
    public var version: UInt8
    public var node: NodeID
    public var incarnation: Incarnation
    /// "coordinator", "node" or "operator".
    public var role: String
    /// Kept messages that its sender has received on control lanes of this link; of a control lane made again.
    public var received: UInt64

    public init(version: UInt8, node: NodeID, incarnation: Incarnation, role: String, received: UInt64 = 0) {
        self.version = version
        self.node = node
        self.incarnation = incarnation
        self.role = role
        self.received = received
    }

    public init() {
        self.init(
            version: WireVersion.newest, node: .coordinator, incarnation: Incarnation(0), role: "coordinator")
    }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__welcome__init)
        message.pointee.version = UInt32(version)
        message.pointee.node = try arena.string(node.name, Field("Welcome.node"))
        message.pointee.incarnation = incarnation.rawValue
        message.pointee.role = try RoleCodec.encode(role, Field("Welcome.role"))
        message.pointee.received = received
        return try arena.pack(message, as: "Welcome")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "Welcome")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "Welcome", shardline__v1__welcome__unpack).pointee
        self.init(
            version: UInt8(try FieldReader.count(message.version, in: 1...255, Field("Welcome.version"))),
            node: try FieldReader.node(message.node, Field("Welcome.node")),
            incarnation: Incarnation(message.incarnation),
            role: try RoleCodec.decode(message.role, Field("Welcome.role")), received: message.received)
    }
}
