import Memory

/// Why something cannot be measured; the message names the thing and the fix.
struct WireBenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension BufferSlice {
    /// Bytes that are not zero; nil for none.
    static func ones(_ byteCount: Int) throws -> BufferSlice? {
        guard byteCount > 0 else { return nil }
        let buffer = try AlignedBuffer(byteCount: byteCount)
        UnsafeMutableRawBufferPointer(start: buffer.base, count: byteCount).initializeMemory(as: UInt8.self, repeating: 1)
        return BufferSlice(buffer: buffer)
    }
}
