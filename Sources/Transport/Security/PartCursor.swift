import Glibc

/// Cuts parts of memory into records: as large as may be, in place where that is possible.
struct PartCursor {
    private let parts: UnsafeBufferPointer<iovec>
    private var index = 0
    private var offset = 0

    init(_ parts: UnsafeBufferPointer<iovec>) {
        self.parts = parts
        skipEmpty()
    }

    var isAtEnd: Bool { index == parts.count }

    /// The next bytes: a whole record from one part, or several parts put together in `scratch`, which has room for
    /// `byteCountMax`.
    mutating func next(byteCountMax: Int, scratch: UnsafeMutableRawPointer) -> UnsafeRawBufferPointer {
        let first = take(byteCountMax)
        guard first.count < byteCountMax, !isAtEnd else { return first }
        scratch.copyMemory(from: first.baseAddress ?? UnsafeRawPointer(scratch), byteCount: first.count)
        var count = first.count
        while count < byteCountMax, !isAtEnd {
            let piece = take(byteCountMax - count)
            if let base = piece.baseAddress { (scratch + count).copyMemory(from: base, byteCount: piece.count) }
            count += piece.count
        }
        return UnsafeRawBufferPointer(start: scratch, count: count)
    }

    /// Bytes of the present part alone.
    private mutating func take(_ byteCountMax: Int) -> UnsafeRawBufferPointer {
        let part = parts[index]
        let count = min(part.iov_len - offset, byteCountMax)
        let bytes = UnsafeRawBufferPointer(start: part.iov_base.map { UnsafeRawPointer($0 + offset) }, count: count)
        offset += count
        if offset == part.iov_len {
            index += 1
            offset = 0
            skipEmpty()
        }
        return bytes
    }

    private mutating func skipEmpty() {
        while index < parts.count, parts[index].iov_len == 0 { index += 1 }
    }
}
