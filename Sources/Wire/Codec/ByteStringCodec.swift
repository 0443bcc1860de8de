import CProtocols

/// Fields of plain bytes.
enum ByteStringCodec {
    static func encode(
        _ bytes: [UInt8], max: Int, _ field: Field, in arena: borrowing MessageArena
    ) throws(WireError) -> ProtobufCBinaryData {
        guard bytes.count <= max else { throw field.unencodable("\(bytes.count) bytes; at most \(max)") }
        guard !bytes.isEmpty else { return ProtobufCBinaryData() }
        let copy = try arena.take(bytes.count, of: UInt8.self)
        copy.initialize(from: bytes, count: bytes.count)
        return ProtobufCBinaryData(len: bytes.count, data: copy)
    }

    static func decode(_ data: ProtobufCBinaryData, max: Int, _ field: Field) throws(WireError) -> [UInt8] {
        guard data.len <= max else { throw field.malformed("\(data.len) bytes; at most \(max)") }
        return [UInt8](UnsafeBufferPointer(start: data.data, count: data.len))
    }
}
