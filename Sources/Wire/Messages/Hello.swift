import CProtocols
public import Memory
public import Vocabulary

/// The first frame on a connection, from the end that opened it.
public struct Hello: WireValue, Hashable {
    /// Protocol versions that it speaks.
    public var versions: ClosedRange<UInt8>
    /// Of the program, for logs.
    public var programVersion: String
    public var node: NodeID
    public var incarnation: Incarnation
    /// "coordinator", "node" or "operator".
    public var role: String
    public var lane: Lane
    /// Where others reach it; 0 and "" when it does not listen.
    public var listenPort: Int
    public var host: String
    /// The same on the three lanes that belong together, drawn at random by the end that opens them.
    public var link: UInt64
    /// 0 on the lanes of a new set; on a lane that is made again higher than ever before.
    public var generation: UInt32
    /// Kept messages that its sender has received on control lanes of this link; of a control lane made again.
    public var received: UInt64

    public init(
        versions: ClosedRange<UInt8> = WireVersion.oldest...WireVersion.newest, programVersion: String = "",
        node: NodeID, incarnation: Incarnation, role: String, lane: Lane, listenPort: Int = 0, host: String = "",
        link: UInt64 = 0, generation: UInt32 = 0, received: UInt64 = 0
    ) {
        self.versions = versions
        self.programVersion = programVersion
        self.node = node
        self.incarnation = incarnation
        self.role = role
        self.lane = lane
        self.listenPort = listenPort
        self.host = host
        self.link = link
        self.generation = generation
        self.received = received
    }

    public init() {
        self.init(node: .coordinator, incarnation: Incarnation(0), role: "coordinator", lane: .control)
    }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena()
        let message = try arena.make(shardline__v1__hello__init)
        message.pointee.version_min = UInt32(versions.lowerBound)
        message.pointee.version_max = UInt32(versions.upperBound)
        message.pointee.program_version = try arena.string(programVersion, Field("Hello.programVersion"))
        message.pointee.node = try arena.string(node.name, Field("Hello.node"))
        message.pointee.incarnation = incarnation.rawValue
        message.pointee.role = try RoleCodec.encode(role, Field("Hello.role"))
        message.pointee.lane = UInt32(lane.rawValue)
        message.pointee.listen_port = try UInt32(listenPort, Field("Hello.listenPort"))
        message.pointee.host = try arena.string(host, Field("Hello.host"))
        message.pointee.link = link
        message.pointee.generation = generation
        message.pointee.received = received
        return try arena.pack(message, as: "Hello")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "Hello")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(control, as: "Hello", shardline__v1__hello__unpack).pointee
        let versionMin = try FieldReader.count(message.version_min, in: 1...255, Field("Hello.versionMin"))
        guard message.version_max >= message.version_min else {
            throw Field("Hello.versionMax").malformed("\(message.version_max) is below versionMin, \(versionMin)")
        }
        guard let lane = UInt8(exactly: message.lane).flatMap(Lane.init(rawValue:)) else {
            throw Field("Hello.lane").malformed("\(message.lane) is no lane")
        }
        self.init(
            versions: UInt8(versionMin)...UInt8(clamping: message.version_max),
            programVersion: try FieldReader.string(message.program_version, Field("Hello.programVersion")),
            node: try FieldReader.node(message.node, Field("Hello.node")),
            incarnation: Incarnation(message.incarnation),
            role: try RoleCodec.decode(message.role, Field("Hello.role")), lane: lane,
            listenPort: try FieldReader.count(message.listen_port, in: 0...65_535, Field("Hello.listenPort")),
            host: try FieldReader.string(message.host, Field("Hello.host")), link: message.link,
            generation: message.generation, received: message.received)
    }
}
