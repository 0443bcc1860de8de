/// A part of a buffer, which it keeps alive.
public struct BufferSlice: Sendable {
    public let buffer: AlignedBuffer
    /// Bytes from the buffer's beginning.
    public let offset: Int
    public let byteCount: Int

    /// `byteCount` nil takes the rest. The range must lie inside the buffer.
    public init(buffer: AlignedBuffer, offset: Int = 0, byteCount: Int? = nil) {
        precondition(offset >= 0 && offset <= buffer.byteCount, "slice begins outside its buffer")
        let byteCount = byteCount ?? (buffer.byteCount - offset)
        precondition(byteCount >= 0 && byteCount <= buffer.byteCount - offset, "slice ends outside its buffer")
        self.buffer = buffer
        self.offset = offset
        self.byteCount = byteCount
    }

    /// A copy of `bytes` in a buffer of its own.
    public init(copying bytes: some Collection<UInt8>) throws(MemoryError) {
        let buffer = try AlignedBuffer(byteCount: bytes.count)
        UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.byteCount).copyBytes(from: bytes)
        self.init(buffer: buffer)
    }

    /// The address of the first byte; valid while the slice or its buffer lives.
    public var base: UnsafeMutableRawPointer { buffer.base + offset }

    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withExtendedLifetime(buffer) {
            try body(UnsafeRawBufferPointer(start: buffer.base + offset, count: byteCount))
        }
    }

    public func withUnsafeMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        try withExtendedLifetime(buffer) {
            try body(UnsafeMutableRawBufferPointer(start: buffer.base + offset, count: byteCount))
        }
    }
}
