import CProtocols
import Vocabulary

/// The parts of a topology.
enum TopologyCodec {
    static func encode(
        _ status: Topology.NodeStatus, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<Shardline__V1__NodeStatus> {
        let message = try arena.make(shardline__v1__node_status__init)
        message.pointee.description = try NodeDescriptionCodec.encode(status.description, in: arena)
        message.pointee.is_connected = status.isConnected ? 1 : 0
        return message
    }

    static func decode(
        _ pointer: UnsafePointer<Shardline__V1__NodeStatus>, at index: Int
    ) throws(WireError) -> Topology.NodeStatus {
        let description = try FieldReader.required(
            pointer.pointee.description, Field("TopologyReply.nodes[].description", at: index))
        return Topology.NodeStatus(
            description: try NodeDescriptionCodec.decode(description), isConnected: pointer.pointee.is_connected != 0)
    }

    static func encode(
        _ status: Topology.PipelineStatus, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<Shardline__V1__PipelineStatus> {
        let message = try arena.make(shardline__v1__pipeline_status__init)
        message.pointee.pipeline = status.pipeline.rawValue
        message.pointee.model = try arena.string(status.model, Field("PipelineStatus.model"))
        if status.replicaCount > 1 {
            message.pointee.replica = try UInt32(status.replica, Field("PipelineStatus.replica"))
            message.pointee.replica_count = try UInt32(status.replicaCount, Field("PipelineStatus.replicaCount"))
        }
        message.pointee.epoch = status.epoch.rawValue
        message.pointee.state = try arena.string(status.state, Field("PipelineStatus.state"))
        message.pointee.running_count = try UInt32(status.runningCount, Field("PipelineStatus.runningCount"))
        message.pointee.waiting_count = try UInt32(status.waitingCount, Field("PipelineStatus.waitingCount"))
        message.pointee.block_count = try UInt32(status.blockCount, Field("PipelineStatus.blockCount"))
        message.pointee.free_block_count = try UInt32(status.freeBlockCount, Field("PipelineStatus.freeBlockCount"))
        guard !status.stages.isEmpty else { return message }
        let stages = try arena.take(status.stages.count, of: UnsafeMutablePointer<Shardline__V1__StageStatus>?.self)
        for (index, stage) in status.stages.enumerated() { stages[index] = try encode(stage, in: arena) }
        message.pointee.n_stages = status.stages.count
        message.pointee.stages = stages
        return message
    }

    static func decode(
        _ pointer: UnsafePointer<Shardline__V1__PipelineStatus>, at index: Int
    ) throws(WireError) -> Topology.PipelineStatus {
        let message = pointer.pointee
        let counts = 0...Int(Int32.max)
        let stageCount = try FieldReader.listCount(
            message.n_stages, max: MessageLimits.stageCountMax, Field("TopologyReply.pipelines[].stages", at: index))
        var stages: [Topology.StageStatus] = []
        stages.reserveCapacity(stageCount)
        for stage in 0..<stageCount {
            stages.append(
                try decode(try FieldReader.element(message.stages, stage, Field("PipelineStatus.stages[]", at: stage))))
        }
        let blockCount = try FieldReader.count(
            message.block_count, in: counts, Field("TopologyReply.pipelines[].blockCount", at: index))
        let replicaCount = try FieldReader.count(
            max(1, message.replica_count), in: counts, Field("TopologyReply.pipelines[].replicaCount", at: index))
        return Topology.PipelineStatus(
            pipeline: PipelineID(message.pipeline),
            model: try FieldReader.string(message.model, Field("TopologyReply.pipelines[].model", at: index)),
            replica: try FieldReader.count(
                max(1, message.replica), in: 1...replicaCount,
                Field("TopologyReply.pipelines[].replica", at: index)),
            replicaCount: replicaCount, epoch: Epoch(message.epoch),
            state: try FieldReader.string(message.state, Field("TopologyReply.pipelines[].state", at: index)),
            stages: stages,
            runningCount: try FieldReader.count(
                message.running_count, in: counts, Field("TopologyReply.pipelines[].runningCount", at: index)),
            waitingCount: try FieldReader.count(
                message.waiting_count, in: counts, Field("TopologyReply.pipelines[].waitingCount", at: index)),
            blockCount: blockCount,
            freeBlockCount: try FieldReader.count(
                message.free_block_count, in: 0...blockCount,
                Field("TopologyReply.pipelines[].freeBlockCount", at: index)))
    }

    private static func encode(
        _ status: Topology.StageStatus, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<Shardline__V1__StageStatus> {
        let message = try arena.make(shardline__v1__stage_status__init)
        message.pointee.node = try arena.string(status.node.name, Field("StageStatus.node"))
        message.pointee.units = try StageCodec.encode(status.units, in: arena)
        message.pointee.weight_bytes = status.weightBytes
        message.pointee.kv_bytes = status.kvBytes
        message.pointee.is_ready = status.isReady ? 1 : 0
        return message
    }

    private static func decode(
        _ pointer: UnsafePointer<Shardline__V1__StageStatus>
    ) throws(WireError) -> Topology.StageStatus {
        let message = pointer.pointee
        let units = try FieldReader.required(message.units, Field("StageStatus.units"))
        return Topology.StageStatus(
            node: try FieldReader.node(message.node, Field("StageStatus.node")), units: try StageCodec.decode(units),
            weightBytes: message.weight_bytes, kvBytes: message.kv_bytes, isReady: message.is_ready != 0)
    }
}
