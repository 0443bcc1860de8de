import Foundation
import Memory
import Wire

extension WireValue {
    /// The value after its way over the wire.
    func overTheWire() throws -> Self {
        let stamp = stamp
        let bulk = bulk
        return try encodeControl().withUnsafeBytes { try Self(control: $0, stamp: stamp, bulk: bulk) }
    }

    /// Decodes bytes that may be anything.
    static func decode(_ control: [UInt8], stamp: FrameStamp = .none, bulk: BufferSlice? = nil) throws -> Self {
        try control.withUnsafeBytes { try Self(control: $0, stamp: stamp, bulk: bulk) }
    }
}

extension FrameHeader {
    /// The header's 80 bytes.
    func encoded() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: FrameHeader.byteCount) { bytes, count in
            encode(into: UnsafeMutableRawBufferPointer(start: bytes.baseAddress, count: FrameHeader.byteCount))
            count = FrameHeader.byteCount
        }
    }

    static func parse(_ bytes: [UInt8]) throws -> FrameHeader {
        try bytes.withUnsafeBytes { try FrameHeader(parsing: $0) }
    }
}

/// Gives a header that was changed by hand the checksum that fits it.
func reseal(_ header: [UInt8]) -> [UInt8] {
    var header = header
    let checksum = header[..<76].withUnsafeBytes { CRC32C.checksum($0) }
    withUnsafeBytes(of: checksum.littleEndian) { header.replaceSubrange(76..<80, with: $0) }
    return header
}

func slice(_ bytes: [UInt8]) throws -> BufferSlice { try BufferSlice(copying: bytes) }

extension BufferSlice {
    var copiedBytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }
}

/// The repository's root.
let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

/// Writes protobuf by hand, for messages that no encoder would make.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    mutating func varint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(value & 0x7F) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    mutating func number(_ field: UInt64, _ value: UInt64) {
        varint(field << 3)
        varint(value)
    }

    mutating func bytes(_ field: UInt64, _ value: [UInt8]) {
        varint(field << 3 | 2)
        varint(UInt64(value.count))
        bytes += value
    }

    mutating func text(_ field: UInt64, _ value: String) { bytes(field, [UInt8](value.utf8)) }

    mutating func numbers(_ field: UInt64, _ values: [UInt64]) {
        bytes(field, ProtobufWriter { writer in for value in values { writer.varint(value) } }.bytes)
    }

    mutating func message(_ field: UInt64, _ build: (inout ProtobufWriter) -> Void) {
        bytes(field, ProtobufWriter(build).bytes)
    }

    init(_ build: (inout ProtobufWriter) -> Void) { build(&self) }
}
