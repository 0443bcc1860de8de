import Memory
import Synchronization

/// Buffers in which the bulk of frames lands, used again once nobody else holds them: in steady state a lane allocates
/// nothing. Large ones come from the pool each time and go back to it.
///
/// Not thread-safe: for the loop's thread. Who holds a buffer may let it go on any thread.
struct LandingBuffers {
    private let pool: BufferPool
    private var kept: [AlignedBuffer] = []
    /// The next to be replaced when all are in use.
    private var oldest = 0

    private static let countMax = 8
    private static let keptByteCountMax = 256 << 10

    init(pool: BufferPool) {
        self.pool = pool
        kept.reserveCapacity(Self.countMax)
    }

    /// At least `byteCount` bytes with undefined contents.
    mutating func take(byteCount: Int) throws(MemoryError) -> AlignedBuffer {
        guard byteCount <= Self.keptByteCountMax else { return try pool.take(byteCount: byteCount) }
        for index in kept.indices where kept[index].byteCount >= byteCount {
            if isKnownUniquelyReferenced(&kept[index]) {
                // Whoever let go of it on another thread has done with its bytes.
                atomicMemoryFence(ordering: .acquiring)
                return kept[index]
            }
        }
        let buffer = try pool.take(byteCount: byteCount)
        if kept.count < Self.countMax {
            kept.append(buffer)
        } else {
            kept[oldest] = buffer
            oldest = (oldest + 1) % Self.countMax
        }
        return buffer
    }
}
