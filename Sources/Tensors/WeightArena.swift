import Memory

/// Memory for packed matrices. Small ones share chunks, so that all of a model's weights lie in huge pages: a step
/// walks
/// through them from end to end. A chunk is freed with the last matrix in it.
final class WeightArena {
    private static let chunkByteCount = 32 << 20
    private static let alignment = 64

    private var chunk: AlignedBuffer?
    private var placement = Placement.anywhere
    private var usedByteCount = 0

    /// Zero-filled bytes.
    func take(byteCount: Int, placement: Placement) throws(MemoryError) -> BufferSlice {
        guard byteCount < Self.chunkByteCount / 4 else {
            return BufferSlice(
                buffer: try AlignedBuffer(byteCount: byteCount, placement: placement, hugePages: true))
        }
        let hasRoom = chunk != nil && self.placement == placement && usedByteCount + byteCount <= Self.chunkByteCount
        if !hasRoom {
            chunk = nil
            chunk = try AlignedBuffer(byteCount: Self.chunkByteCount, placement: placement, hugePages: true)
            self.placement = placement
            usedByteCount = 0
        }
        guard let chunk else { throw MemoryError(.exhausted, "no memory for packed weights") }
        let slice = BufferSlice(buffer: chunk, offset: usedByteCount, byteCount: byteCount)
        usedByteCount += (byteCount + Self.alignment - 1) / Self.alignment * Self.alignment
        return slice
    }

    /// Matrices packed from now on share no memory with those before.
    func close() { chunk = nil }
}
