import Wire

/// Gives frames the magic and the checksums that fit them.
enum FrameSealing {
    static func seal(_ bytes: inout [UInt8]) {
        var start = 0
        while bytes.count - start >= FrameHeader.byteCount {
            let (control, bulk) = bytes.withUnsafeBytes { FrameHeader.lengths(at: $0.baseAddress! + start) }
            let bodyStart = start + FrameHeader.byteCount
            let end = bodyStart + control + bulk
            bytes.replaceSubrange(start..<start + 4, with: Array("SHRD".utf8))
            if end <= bytes.count, bytes[start + 6] & 2 != 0 {
                store(checksum(bytes[bodyStart..<end]), at: start + 72, in: &bytes)
            }
            store(checksum(bytes[start..<start + 76]), at: start + 76, in: &bytes)
            start = end
        }
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { CRC32C.checksum($0) }
    }

    private static func store(_ value: UInt32, at offset: Int, in bytes: inout [UInt8]) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }
}
