import CProtocols
import Vocabulary

typealias CNodeDescription = Shardline__V1__NodeDescription

/// A node's description, as it registers and as topologies show it.
enum NodeDescriptionCodec {
    static func encode(
        _ node: NodeDescription, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<CNodeDescription> {
        let message = try arena.make(shardline__v1__node_description__init)
        message.pointee.node = try arena.string(node.node.name, Field("NodeDescription.node"))
        message.pointee.incarnation = node.incarnation.rawValue
        message.pointee.host = try arena.string(node.host, Field("NodeDescription.host"))
        message.pointee.port = try UInt32(node.port, Field("NodeDescription.port"))
        message.pointee.process_id = node.processID
        message.pointee.thread_count = try UInt32(node.threadCount, Field("NodeDescription.threadCount"))
        message.pointee.core_count = try UInt32(node.coreCount, Field("NodeDescription.coreCount"))
        message.pointee.numa_node_count = try UInt32(node.numaNodeCount, Field("NodeDescription.numaNodeCount"))
        message.pointee.instruction_set = try arena.string(
            node.instructionSet, Field("NodeDescription.instructionSet"))
        message.pointee.memory_limit_bytes = node.memoryLimitBytes
        message.pointee.read_bytes_per_second = node.readBytesPerSecond
        message.pointee.multiply_adds_per_second = node.multiplyAddsPerSecond
        message.pointee.version = try arena.string(node.version, Field("NodeDescription.version"))
        return message
    }

    static func decode(_ message: UnsafePointer<CNodeDescription>) throws(WireError) -> NodeDescription {
        let message = message.pointee
        let counts = 0...(1 << 20)
        return NodeDescription(
            node: try FieldReader.node(message.node, Field("NodeDescription.node")),
            incarnation: Incarnation(message.incarnation),
            host: try FieldReader.string(message.host, Field("NodeDescription.host")),
            port: try FieldReader.count(message.port, in: 0...65_535, Field("NodeDescription.port")),
            processID: message.process_id,
            threadCount: try FieldReader.count(
                message.thread_count, in: counts, Field("NodeDescription.threadCount")),
            coreCount: try FieldReader.count(message.core_count, in: counts, Field("NodeDescription.coreCount")),
            numaNodeCount: try FieldReader.count(
                message.numa_node_count, in: counts, Field("NodeDescription.numaNodeCount")),
            instructionSet: try FieldReader.string(
                message.instruction_set, Field("NodeDescription.instructionSet")),
            memoryLimitBytes: message.memory_limit_bytes,
            readBytesPerSecond: try FieldReader.rate(
                message.read_bytes_per_second, Field("NodeDescription.readBytesPerSecond")),
            multiplyAddsPerSecond: try FieldReader.rate(
                message.multiply_adds_per_second, Field("NodeDescription.multiplyAddsPerSecond")),
            version: try FieldReader.string(message.version, Field("NodeDescription.version")))
    }

    /// The description of a probe: all defaults.
    static let empty = NodeDescription(
        node: .coordinator, incarnation: Incarnation(0), host: "", port: 0, processID: 0, threadCount: 0, coreCount: 0,
        numaNodeCount: 0, instructionSet: "", memoryLimitBytes: 0, readBytesPerSecond: 0, multiplyAddsPerSecond: 0,
        version: "")
}
