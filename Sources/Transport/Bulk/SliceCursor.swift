import Glibc
import Memory

/// Walks once over the bytes of several slices, as if they lay behind each other.
struct SliceCursor: Sendable {
    private let slices: [BufferSlice]
    private var index = 0
    /// In the slice at `index`.
    private var offset = 0
    let byteCount: Int
    private(set) var position = 0

    init(_ slices: [BufferSlice]) {
        self.slices = slices.filter { $0.byteCount > 0 }
        byteCount = self.slices.reduce(0) { $0 + $1.byteCount }
    }

    var rest: Int { byteCount - position }

    /// Sets `parts` to the next bytes, at most `byteCountMax`; returns how many parts and bytes.
    func gather(
        into parts: UnsafeMutableBufferPointer<iovec>, byteCountMax: Int
    ) -> (partCount: Int, byteCount: Int) {
        var (partCount, byteCount, index, offset) = (0, 0, self.index, self.offset)
        while partCount < parts.count, index < slices.count, byteCount < byteCountMax {
            let count = min(slices[index].byteCount - offset, byteCountMax - byteCount)
            parts[partCount] = iovec(iov_base: slices[index].base + offset, iov_len: count)
            partCount += 1
            byteCount += count
            index += 1
            offset = 0
        }
        return (partCount, byteCount)
    }

    /// Calls `body` with the next `count` bytes, slice by slice, and goes on behind them.
    mutating func take(_ count: Int, _ body: (BufferSlice) -> Void = { _ in }) {
        precondition(count <= rest, "\(count) bytes of \(rest)")
        var rest = count
        position += count
        while rest > 0 {
            let slice = slices[index]
            let part = min(slice.byteCount - offset, rest)
            body(BufferSlice(buffer: slice.buffer, offset: slice.offset + offset, byteCount: part))
            rest -= part
            offset += part
            if offset == slice.byteCount { (index, offset) = (index + 1, 0) }
        }
    }
}
