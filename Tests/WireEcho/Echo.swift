import Memory
import Wire

/// Frames to messages and back, as the transport does it.
struct Echo {
    private let types = Dictionary(uniqueKeysWithValues: MessageCatalog.all.map { ("\($0)", $0) })
    private let pool = BufferPool()

    /// The frame of the message that `record` holds, encoded anew. Its bulk is sent as it is.
    func encodeAgain(_ record: Record) throws(WireError) -> [UInt8] {
        guard let type = types[record.name] else {
            throw WireError(.malformedMessage, "\(record.name) is no message")
        }
        let (header, control, sent) = try Self.parts(record.frame)
        let bulk = try bulk(sent, header)
        let message = try control.withCopy { bytes throws(WireError) in
            try type.init(control: bytes, stamp: header.stamp, bulk: bulk)
        }
        return try Self.frame(of: message, like: header, compress: nil)
    }

    /// - Parameter compress: where bulk that shrinks is compressed; nil sends it as it is.
    static func frame(
        of message: any WireValue, like header: FrameHeader, compress pool: BufferPool?
    ) throws(WireError) -> [UInt8] {
        let control = try message.encodeControl()
        let bulk = message.bulk
        var sent = bulk
        var header = header
        header.flags = [.checksummed]
        if let pool, let bulk, let smaller = try BulkCodec.compress(bulk, pool: pool) {
            sent = smaller
            header.flags.insert(.bulkIsCompressed)
        }
        let sentBytes = sent.map { slice in slice.withUnsafeBytes { [UInt8]($0) } } ?? []
        header.stamp = message.stamp
        header.controlByteCount = control.count
        header.bulkByteCount = sentBytes.count
        header.bulkUncompressedByteCount = bulk?.byteCount ?? 0
        header.bodyChecksum = (control + sentBytes).withUnsafeBytes { CRC32C.checksum($0) }
        try header.validate()
        var frame = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        frame.withUnsafeMutableBytes { header.encode(into: $0) }
        return frame + control + sentBytes
    }

    private static func parts(
        _ frame: [UInt8]
    ) throws(WireError) -> (header: FrameHeader, control: [UInt8], sent: [UInt8]) {
        let header = try frame.withCopy { bytes throws(WireError) in try FrameHeader(parsing: bytes) }
        guard frame.count == header.frameByteCount else {
            throw WireError(.malformedHeader, "\(frame.count) bytes; the header says \(header.frameByteCount)")
        }
        let middle = FrameHeader.byteCount + header.controlByteCount
        let (control, sent) = (Array(frame[FrameHeader.byteCount..<middle]), Array(frame[middle...]))
        try control.withCopy { control throws(WireError) in
            try sent.withCopy { sent throws(WireError) in try header.verifyBody(control: control, bulk: sent) }
        }
        return (header, control, sent)
    }

    private func bulk(_ sent: [UInt8], _ header: FrameHeader) throws(WireError) -> BufferSlice? {
        guard !sent.isEmpty else { return nil }
        let received: BufferSlice
        do throws(MemoryError) {
            received = try BufferSlice(copying: sent)
        } catch {
            throw WireError(.outOfMemory, error.message)
        }
        guard header.flags.contains(.bulkIsCompressed) else { return received }
        return try BulkCodec.decompress(received, byteCount: header.bulkUncompressedByteCount, pool: pool)
    }
}

extension [UInt8] {
    /// The bytes for the time of `body`, with its typed error.
    fileprivate func withCopy<Result>(
        _ body: (UnsafeRawBufferPointer) throws(WireError) -> Result
    ) throws(WireError) -> Result {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: self)
        return try body(UnsafeRawBufferPointer(copy))
    }
}
