import Memory

/// Memory in which headers and control parts wait to be sent, one behind the other.
///
/// `@unchecked Sendable`: bytes are added under the lock of the queue that owns the chunk, and those that were handed
/// to a writer are not touched again until it is done with them.
final class ByteChunk: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let capacity: Int
    var used = 0

    static let byteCount = 32 << 10

    init(capacity: Int = ByteChunk.byteCount) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { base.deallocate() }

    /// The next `count` bytes, which must fit.
    func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(count <= capacity - used, "a chunk of \(capacity) bytes has no room for \(count)")
        defer { used += count }
        return UnsafeMutableRawBufferPointer(start: base + used, count: count)
    }
}
