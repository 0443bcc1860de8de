import Memory
import Synchronization

/// Memory that packing threads read pieces of a file into, one piece a thread: it stays in their caches.
final class PackingPieces: Sendable {
    let byteCount: Int
    private let buffer: AlignedBuffer
    private let free: Mutex<[Int]>

    init(threadCount: Int, byteCount: Int) throws(MemoryError) {
        self.byteCount = byteCount
        buffer = try AlignedBuffer(byteCount: threadCount * byteCount, hugePages: true)
        free = Mutex(Array(0..<threadCount))
    }

    /// Calls `body` with a piece of its own. No more threads than there are pieces do so at a time.
    func withPiece<R>(_ body: (UnsafeMutableRawPointer) -> R) -> R {
        guard let index = free.withLock({ $0.popLast() }) else { preconditionFailure("more threads than pieces") }
        defer { free.withLock { $0.append(index) } }
        return body(buffer.base + index * byteCount)
    }
}
