import CProtocols
public import Memory
public import Vocabulary

/// The result of `Admin.topology`. The term travels in the stamp.
public struct TopologyReply: WireValue, Hashable {
    public var topology: Topology

    public init(topology: Topology) { self.topology = topology }
    public init() { self.init(topology: Topology(term: Term(0), nodes: [], pipelines: [])) }

    public var stamp: FrameStamp { FrameStamp(term: topology.term) }

    public func encodeControl() throws(WireError) -> [UInt8] {
        let arena = try MessageArena(encoding: 1024 * (1 + topology.nodes.count + topology.pipelines.count))
        let message = try arena.make(shardline__v1__topology_reply__init)
        if !topology.nodes.isEmpty {
            let nodes = try arena.take(topology.nodes.count, of: UnsafeMutablePointer<Shardline__V1__NodeStatus>?.self)
            for (index, node) in topology.nodes.enumerated() {
                nodes[index] = try TopologyCodec.encode(node, in: arena)
            }
            message.pointee.n_nodes = topology.nodes.count
            message.pointee.nodes = nodes
        }
        if !topology.pipelines.isEmpty {
            let pipelines = try arena.take(
                topology.pipelines.count, of: UnsafeMutablePointer<Shardline__V1__PipelineStatus>?.self)
            for (index, pipeline) in topology.pipelines.enumerated() {
                pipelines[index] = try TopologyCodec.encode(pipeline, in: arena)
            }
            message.pointee.n_pipelines = topology.pipelines.count
            message.pointee.pipelines = pipelines
        }
        return try arena.pack(message, as: "TopologyReply")
    }

    public init(control: UnsafeRawBufferPointer, stamp: FrameStamp, bulk: BufferSlice?) throws(WireError) {
        try FieldReader.refuseBulk(bulk, "TopologyReply")
        let arena = try MessageArena(decoding: control)
        defer { extendLifetime(arena) }
        let message = try arena.unpack(
            control, as: "TopologyReply", shardline__v1__topology_reply__unpack
        ).pointee
        let nodeCount = try FieldReader.listCount(
            message.n_nodes, max: MessageLimits.listCountMax, Field("TopologyReply.nodes"))
        let pipelineCount = try FieldReader.listCount(
            message.n_pipelines, max: MessageLimits.listCountMax, Field("TopologyReply.pipelines"))
        var topology = Topology(term: stamp.term, nodes: [], pipelines: [])
        for index in 0..<nodeCount {
            let node = try FieldReader.element(message.nodes, index, Field("TopologyReply.nodes[]", at: index))
            topology.nodes.append(try TopologyCodec.decode(node, at: index))
        }
        for index in 0..<pipelineCount {
            let pipeline = try FieldReader.element(
                message.pipelines, index, Field("TopologyReply.pipelines[]", at: index))
            topology.pipelines.append(try TopologyCodec.decode(pipeline, at: index))
        }
        self.init(topology: topology)
    }
}
