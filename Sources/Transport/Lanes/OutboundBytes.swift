import Glibc
import Memory
import Wire

/// Frames as the bytes that are still to be written: headers and control parts from chunks, bulk where it lies.
struct OutboundBytes: Sendable {
    /// `@unchecked Sendable`: an address that `owner` keeps valid.
    private struct Segment: @unchecked Sendable {
        var base: UnsafeMutableRawPointer
        var byteCount: Int
        var owner: (any Sendable & AnyObject)?
    }

    private var segments: [Segment] = []
    /// The first segment with bytes left.
    private var head = 0
    /// Without room until there is a frame: most half-open connections never get one.
    private var chunk = ByteChunk(capacity: 0)
    /// Full ones, to be used again once their bytes are sent.
    private var spares: [ByteChunk] = []
    private(set) var byteCount = 0

    /// All that ever was appended, written or not.
    private(set) var appendedByteCount: UInt64 = 0

    private static let spareCountMax = 4

    mutating func append(_ frame: OutboundFrame) {
        append(frame.header, frame.control)
        if let bulk = frame.bulk { append(bulk) }
    }

    mutating func append(_ header: FrameHeader, _ control: [UInt8] = []) {
        let count = FrameHeader.byteCount + control.count
        if count > chunk.capacity - chunk.used { replaceChunk(byteCount: count) }
        let bytes = chunk.take(count)
        header.encode(into: bytes)
        UnsafeMutableRawBufferPointer(rebasing: bytes[FrameHeader.byteCount...]).copyBytes(from: control)
        append(bytes, owner: chunk)
    }

    mutating func append(_ bulk: BufferSlice) {
        guard bulk.byteCount > 0 else { return }
        append(UnsafeMutableRawBufferPointer(start: bulk.base, count: bulk.byteCount), owner: bulk.buffer)
    }

    /// A chunk with room for `byteCount` bytes: one whose bytes are all sent, if there is one.
    private mutating func replaceChunk(byteCount: Int) {
        guard byteCount <= ByteChunk.byteCount else {
            chunk = ByteChunk(capacity: byteCount)
            return
        }
        if chunk.capacity == ByteChunk.byteCount, spares.count < Self.spareCountMax { spares.append(chunk) }
        for index in spares.indices where isKnownUniquelyReferenced(&spares[index]) {
            spares[index].used = 0
            chunk = spares.remove(at: index)
            return
        }
        chunk = ByteChunk()
    }

    private mutating func append(_ bytes: UnsafeMutableRawBufferPointer, owner: any Sendable & AnyObject) {
        guard let base = bytes.baseAddress else { return }
        byteCount += bytes.count
        appendedByteCount += UInt64(bytes.count)
        // Small frames that lie behind each other go as one part.
        if head < segments.count, segments[segments.count - 1].owner === owner,
            segments[segments.count - 1].base + segments[segments.count - 1].byteCount == base
        {
            segments[segments.count - 1].byteCount += bytes.count
        } else {
            segments.append(Segment(base: base, byteCount: bytes.count, owner: owner))
        }
    }

    /// Sets `parts` to the first bytes, at most `byteCountMax`; returns how many parts and bytes.
    func gather(
        into parts: UnsafeMutableBufferPointer<iovec>, byteCountMax: Int
    ) -> (partCount: Int, byteCount: Int) {
        var partCount = 0
        var byteCount = 0
        while partCount < parts.count, head + partCount < segments.count, byteCount < byteCountMax {
            let count = min(segments[head + partCount].byteCount, byteCountMax - byteCount)
            parts[partCount] = iovec(iov_base: segments[head + partCount].base, iov_len: count)
            partCount += 1
            byteCount += count
        }
        return (partCount, byteCount)
    }

    /// The first `count` bytes were written.
    mutating func remove(_ count: Int) {
        byteCount -= count
        var rest = count
        while rest > 0 {
            guard segments[head].byteCount <= rest else {
                segments[head].base += rest
                segments[head].byteCount -= rest
                break
            }
            rest -= segments[head].byteCount
            segments[head].owner = nil
            head += 1
        }
        if byteCount == 0 {
            removeAll()
        } else if head > 64, head > segments.count / 2 {
            segments.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll() {
        segments.removeAll(keepingCapacity: segments.count <= 1024)
        head = 0
        byteCount = 0
        if chunk.capacity > ByteChunk.byteCount { chunk = ByteChunk() }
        chunk.used = 0
    }
}
