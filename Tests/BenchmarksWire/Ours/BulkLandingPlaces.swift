import Memory
import Synchronization

/// A few buffers that are filled in turn.
final class BulkLandingPlaces: Sendable {
    private struct State: Sendable {
        var buffers: [AlignedBuffer] = []
        var next = 0
    }
    private let state = Mutex(State())
    private static let count = 3

    func take(byteCount: Int) throws(MemoryError) -> BufferSlice {
        try state.withLock { state throws(MemoryError) in
            if state.buffers.first?.byteCount != byteCount {
                state.buffers = []
                for _ in 0..<Self.count {
                    let buffer = try AlignedBuffer(byteCount: byteCount)
                    // Touched before anybody measures.
                    buffer.base.initializeMemory(as: UInt8.self, repeating: 1, count: byteCount)
                    state.buffers.append(buffer)
                }
            }
            defer { state.next = (state.next + 1) % Self.count }
            return BufferSlice(buffer: state.buffers[state.next])
        }
    }
}
