import CPlatform
public import Memory

/// LZ4 for bulk parts: one block, without a frame around it; the frame header carries both lengths.
public enum BulkCodec {
    /// Compresses `source` into `destination` and returns the bytes used; nil when the result would not be shorter
    /// than the source or does not fit the destination. The two must not overlap.
    public static func compress(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard source.count > 1, source.count <= FrameLimits.bulkByteCountMax else { return nil }
        let capacity = min(destination.count, source.count - 1)
        guard let from = source.baseAddress, let to = destination.baseAddress, capacity > 0 else { return nil }
        let byteCount = LZ4_compress_default(
            from.assumingMemoryBound(to: CChar.self), to.assumingMemoryBound(to: CChar.self), Int32(source.count),
            Int32(capacity))
        return byteCount > 0 ? Int(byteCount) : nil
    }

    /// Compresses a slice into a buffer of `pool`; nil when that does not make it shorter.
    public static func compress(_ slice: BufferSlice, pool: BufferPool) throws(WireError) -> BufferSlice? {
        guard slice.byteCount > 1, slice.byteCount <= FrameLimits.bulkByteCountMax else { return nil }
        let buffer = try take(slice.byteCount, from: pool)
        let byteCount = slice.withUnsafeBytes { source in
            compress(source, into: UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.byteCount))
        }
        guard let byteCount else { return nil }
        return BufferSlice(buffer: buffer, offset: 0, byteCount: byteCount)
    }

    /// Decompresses into exactly `destination.count` bytes. Never reads or writes outside the two; throws
    /// `malformedBulk` when `source` is not an LZ4 block of that length.
    public static func decompress(
        _ source: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer
    ) throws(WireError) {
        guard source.count <= FrameLimits.bulkByteCountMax, destination.count <= FrameLimits.bulkByteCountMax else {
            throw WireError(
                .tooLarge,
                "a bulk part of \(source.count) bytes, \(destination.count) decompressed; "
                    + "at most \(FrameLimits.bulkByteCountMax)")
        }
        var byteCount: Int32 = -1
        if let from = source.baseAddress, let to = destination.baseAddress, source.count > 0 {
            byteCount = LZ4_decompress_safe(
                from.assumingMemoryBound(to: CChar.self), to.assumingMemoryBound(to: CChar.self), Int32(source.count),
                Int32(destination.count))
        }
        guard byteCount >= 0 else {
            throw WireError(
                .malformedBulk,
                "\(source.count) bytes of bulk are not an LZ4 block of \(destination.count) decompressed bytes")
        }
        guard Int(byteCount) == destination.count else {
            throw WireError(
                .malformedBulk,
                "\(source.count) bytes of bulk decompress to \(byteCount) bytes; the header says \(destination.count)")
        }
    }

    /// Decompresses a received slice into a buffer of `pool`.
    public static func decompress(
        _ slice: BufferSlice, byteCount: Int, pool: BufferPool
    ) throws(WireError) -> BufferSlice {
        guard (0...FrameLimits.bulkByteCountMax).contains(byteCount) else {
            throw WireError(
                .tooLarge,
                "a bulk part of \(byteCount) bytes, decompressed; at most \(FrameLimits.bulkByteCountMax)")
        }
        let result = BufferSlice(buffer: try take(byteCount, from: pool), offset: 0, byteCount: byteCount)
        let target = UnsafeMutableRawBufferPointer(start: result.base, count: byteCount)
        let source = UnsafeRawBufferPointer(start: UnsafeRawPointer(slice.base), count: slice.byteCount)
        try withExtendedLifetime((result, slice)) { () throws(WireError) in
            try decompress(source, into: target)
        }
        return result
    }

    // MARK: Shuffled

    /// The bytes at even places, then those at odd ones: of f16 numbers the halves with the exponents lie together,
    /// which compress; the others hardly do. `planes` has as many bytes as `source`; the two must not overlap.
    public static func shuffle(_ source: UnsafeRawBufferPointer, into planes: UnsafeMutableRawBufferPointer) {
        precondition(source.count == planes.count, "\(source.count) bytes for \(planes.count)")
        guard let from = source.baseAddress, let to = planes.baseAddress else { return }
        sl_planes_split(
            from.assumingMemoryBound(to: UInt8.self), to.assumingMemoryBound(to: UInt8.self), source.count)
    }

    /// The reverse of `shuffle`.
    public static func unshuffle(_ planes: UnsafeRawBufferPointer, into destination: UnsafeMutableRawBufferPointer) {
        precondition(planes.count == destination.count, "\(planes.count) bytes for \(destination.count)")
        guard let from = planes.baseAddress, let to = destination.baseAddress else { return }
        sl_planes_join(
            from.assumingMemoryBound(to: UInt8.self), to.assumingMemoryBound(to: UInt8.self), planes.count)
    }

    /// A received bulk part as it was before it was compressed, and shuffled if `header` says so.
    public static func decompress(
        _ slice: BufferSlice, of header: FrameHeader, pool: BufferPool
    ) throws(WireError) -> BufferSlice {
        let planes = try decompress(slice, byteCount: header.bulkUncompressedByteCount, pool: pool)
        guard header.flags.contains(.bulkIsShuffled) else { return planes }
        let result = BufferSlice(
            buffer: try take(planes.byteCount, from: pool), offset: 0, byteCount: planes.byteCount)
        planes.withUnsafeBytes { planes in result.withUnsafeMutableBytes { unshuffle(planes, into: $0) } }
        return result
    }

    private static func take(_ byteCount: Int, from pool: BufferPool) throws(WireError) -> AlignedBuffer {
        do {
            return try pool.take(byteCount: byteCount)
        } catch {
            throw WireError(.outOfMemory, "no memory for a bulk part of \(byteCount) bytes: \(error)")
        }
    }
}
