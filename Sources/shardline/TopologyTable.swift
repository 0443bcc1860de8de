import Foundation
import Vocabulary

/// A topology as people read it, and as JSON.
struct TopologyTable {
    let topology: Topology

    var text: String {
        var lines: [String] = []
        for pipeline in topology.pipelines {
            let replica = pipeline.replicaCount > 1 ? ", replica \(pipeline.replica) of \(pipeline.replicaCount)" : ""
            lines.append("\(pipeline.model)\(replica): \(pipeline.state), epoch \(pipeline.epoch)")
            if pipeline.stages.isEmpty { continue }
            var rows = [["node", "pid", "layers", "also", "weights", "KV", "state"]]
            for stage in pipeline.stages { rows.append(row(of: stage)) }
            lines += Self.aligned(rows)
        }
        let used = Set(topology.pipelines.flatMap { $0.stages.map(\.node) })
        let idle = topology.nodes.filter { !used.contains($0.description.node) }
        for node in idle {
            let state = node.isConnected ? "connected, holds no layers" : "not connected"
            lines.append("  \(node.description.node)  pid \(node.description.processID)  \(state)")
        }
        if lines.isEmpty { lines.append("no nodes yet") }
        return lines.joined(separator: "\n")
    }

    private func row(of stage: Topology.StageStatus) -> [String] {
        let node = topology.nodes.first { $0.description.node == stage.node }
        let riders = [stage.units.hasEmbedding ? "embedding" : nil, stage.units.hasHead ? "head" : nil]
            .compactMap { $0 }.joined(separator: ", ")
        return [
            stage.node.name, node.map { "\($0.description.processID)" } ?? "-",
            "\(stage.units.layers.lowerBound)-\(stage.units.layers.upperBound - 1)", riders.isEmpty ? "-" : riders,
            Self.mebibytes(stage.weightBytes), Self.mebibytes(stage.kvBytes), stage.isReady ? "ready" : "loading",
        ]
    }

    private static func mebibytes(_ bytes: UInt64) -> String { String(format: "%.1f MiB", Double(bytes) / 1_048_576) }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
            return "  " + cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces)
        }
    }

    var json: String {
        let value = TopologyJSON(topology)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        guard let data = try? encoder.encode(value) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }
}

/// The shape of `shardline topology --json`.
private struct TopologyJSON: Encodable {
    struct NodeJSON: Encodable {
        var name, host, instructionSet, version: String
        var port, threads, cores, numaNodes: Int
        var pid: Int32
        var connected: Bool
        var memoryLimitBytes: UInt64
        var readBytesPerSecond, multiplyAddsPerSecond: Double
    }
    struct StageJSON: Encodable {
        var node: String
        var firstLayer, lastLayer: Int
        var embedding, head, ready: Bool
        var weightBytes, kvBytes: UInt64
    }
    struct PipelineJSON: Encodable {
        var id: UInt32
        var model, state: String
        var replica, replicas: Int
        var epoch: UInt64
        var running, waiting, blocks, freeBlocks: Int
        var stages: [StageJSON]
    }
    var term: UInt64
    var nodes: [NodeJSON]
    var pipelines: [PipelineJSON]

    init(_ topology: Topology) {
        term = topology.term.rawValue
        nodes = topology.nodes.map { status in
            let node = status.description
            return NodeJSON(
                name: node.node.name, host: node.host, instructionSet: node.instructionSet, version: node.version,
                port: node.port, threads: node.threadCount, cores: node.coreCount, numaNodes: node.numaNodeCount,
                pid: node.processID, connected: status.isConnected, memoryLimitBytes: node.memoryLimitBytes,
                readBytesPerSecond: node.readBytesPerSecond, multiplyAddsPerSecond: node.multiplyAddsPerSecond)
        }
        pipelines = topology.pipelines.map { pipeline in
            PipelineJSON(
                id: pipeline.pipeline.rawValue, model: pipeline.model, state: pipeline.state,
                replica: pipeline.replica, replicas: pipeline.replicaCount, epoch: pipeline.epoch.rawValue,
                running: pipeline.runningCount, waiting: pipeline.waitingCount,
                blocks: pipeline.blockCount, freeBlocks: pipeline.freeBlockCount,
                stages: pipeline.stages.map { stage in
                    StageJSON(
                        node: stage.node.name, firstLayer: stage.units.layers.lowerBound,
                        lastLayer: stage.units.layers.upperBound - 1, embedding: stage.units.hasEmbedding,
                        head: stage.units.hasHead, ready: stage.isReady, weightBytes: stage.weightBytes,
                        kvBytes: stage.kvBytes)
                })
        }
    }
}
