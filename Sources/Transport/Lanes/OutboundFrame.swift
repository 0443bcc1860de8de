import Memory
import Vocabulary
import Wire

/// A frame that is ready to go: checked against the limits, its checksum computed.
struct OutboundFrame: Sendable {
    let header: FrameHeader
    let control: [UInt8]
    let bulk: BufferSlice?

    var byteCount: Int { header.frameByteCount }

    /// A frame without a body.
    init(_ kind: FrameKind, call: UInt64 = 0, object: UInt64 = 0, incarnation: Incarnation, version: UInt8) {
        header = FrameHeader(
            kind: kind, call: call, actor: object, stamp: FrameStamp(incarnation: incarnation), version: version)
        control = []
        bulk = nil
    }

    /// A frame that carries a message.
    init(
        _ kind: FrameKind, _ message: any WireValue, method: UInt16 = 0, call: UInt64 = 0, object: UInt64 = 0,
        incarnation: Incarnation, version: UInt8, isChecksummed: Bool
    ) throws(WireError) {
        control = try message.encodeControl()
        bulk = message.bulk
        var stamp = message.stamp
        // Whose frame it is, is not for the message to say.
        stamp.incarnation = incarnation
        var header = FrameHeader(
            kind: kind, method: method, controlByteCount: control.count, bulkByteCount: bulk?.byteCount ?? 0,
            call: call, actor: object, stamp: stamp, version: version)
        if isChecksummed, header.controlByteCount + header.bulkByteCount > 0 {
            header.flags = .checksummed
            header.bodyChecksum = control.withUnsafeBytes { CRC32C.checksum($0) }
            if let bulk {
                let checksum = header.bodyChecksum
                header.bodyChecksum = bulk.withUnsafeBytes { CRC32C.extend(checksum, with: $0) }
            }
        }
        try header.validate()
        self.header = header
    }
}
