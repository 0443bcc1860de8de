import Glibc
import Memory
import Vocabulary
import Wire

/// Compresses pieces into buffers of a pool.
struct PieceEncoder: Sendable {
    let pool: BufferPool

    struct Encoded: Sendable {
        let bulk: BufferSlice
        let uncompressedByteCount: Int
        let isCompressed: Bool
        let seconds: Double
    }

    /// - Parameter slices: of one piece, in order.
    func encode(_ slices: [BufferSlice], byteCount: Int) throws(MemoryError) -> Encoded {
        let begin = EventLoop.now
        let whole = try gather(slices, byteCount: byteCount)
        let planes = BufferSlice(buffer: try pool.take(byteCount: byteCount), byteCount: byteCount)
        let target = try pool.take(byteCount: byteCount)
        let count = whole.withUnsafeBytes { whole in
            planes.withUnsafeMutableBytes { planes in
                BulkCodec.shuffle(whole, into: planes)
                return BulkCodec.compress(
                    UnsafeRawBufferPointer(planes),
                    into: UnsafeMutableRawBufferPointer(start: target.base, count: target.byteCount))
            }
        }
        return Encoded(
            bulk: count.map { BufferSlice(buffer: target, byteCount: $0) } ?? whole,
            uncompressedByteCount: byteCount, isCompressed: count != nil, seconds: (EventLoop.now - begin).seconds)
    }

    /// One slice with all bytes. A copy in any case: what is sent must not depend on the source any more.
    private func gather(_ slices: [BufferSlice], byteCount: Int) throws(MemoryError) -> BufferSlice {
        let buffer = try pool.take(byteCount: byteCount)
        var filled = 0
        for slice in slices {
            (buffer.base + filled).copyMemory(from: slice.base, byteCount: slice.byteCount)
            filled += slice.byteCount
        }
        return BufferSlice(buffer: buffer, byteCount: byteCount)
    }
}
