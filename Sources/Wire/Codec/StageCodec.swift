import CProtocols
import Vocabulary

/// The parts of messages about stages.
enum StageCodec {
    static func encode(
        _ units: StageUnits, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<Shardline__V1__StageUnits> {
        let message = try arena.make(shardline__v1__stage_units__init)
        message.pointee.layers_lower = try UInt32(units.layers.lowerBound, Field("StageUnits.layersLower"))
        message.pointee.layers_upper = try UInt32(units.layers.upperBound, Field("StageUnits.layersUpper"))
        message.pointee.has_embedding = units.hasEmbedding ? 1 : 0
        message.pointee.has_head = units.hasHead ? 1 : 0
        return message
    }

    static func decode(_ message: UnsafePointer<Shardline__V1__StageUnits>) throws(WireError) -> StageUnits {
        let message = message.pointee
        let layers = 0...MessageLimits.layerCountMax
        let lower = try FieldReader.count(message.layers_lower, in: layers, Field("StageUnits.layersLower"))
        let upper = try FieldReader.count(message.layers_upper, in: layers, Field("StageUnits.layersUpper"))
        guard lower < upper else {
            throw Field("StageUnits.layers").malformed("\(lower)..<\(upper) holds no layer; at least one is needed")
        }
        return StageUnits(
            layers: lower..<upper, hasEmbedding: message.has_embedding != 0, hasHead: message.has_head != 0)
    }

    static func encode(
        _ address: PeerAddress, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<Shardline__V1__PeerAddress> {
        let message = try arena.make(shardline__v1__peer_address__init)
        message.pointee.node = try arena.string(address.node.name, Field("PeerAddress.node"))
        message.pointee.host = try arena.string(address.host, Field("PeerAddress.host"))
        message.pointee.port = try UInt32(address.port, Field("PeerAddress.port"))
        return message
    }

    static func decode(_ message: UnsafePointer<Shardline__V1__PeerAddress>) throws(WireError) -> PeerAddress {
        let message = message.pointee
        return PeerAddress(
            node: try FieldReader.node(message.node, Field("PeerAddress.node")),
            host: try FieldReader.string(message.host, Field("PeerAddress.host")),
            port: try FieldReader.count(message.port, in: 0...65_535, Field("PeerAddress.port")))
    }
}
