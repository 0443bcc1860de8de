import Glibc
import Memory
import Wire

/// Cuts the bytes of a connection into frames. Header and control part lie in one buffer that is used again and again;
/// bulk goes from the socket to the buffer it stays in.
///
/// Not thread-safe: for the loop's thread.
final class FrameReader {
    struct Frame {
        let header: FrameHeader
        /// Valid until the next frame is asked for.
        let control: UnsafeRawBufferPointer
        /// Decompressed; nil when there is none.
        let bulk: BufferSlice?
    }

    /// The frame whose body is coming in.
    private struct Body {
        let header: FrameHeader
        let bulk: BufferSlice?
        var bulkFilled = 0
        var checksum: UInt32 = 0
        var hasCheckedControl = false

        var bulkRest: Int { header.bulkByteCount - bulkFilled }
    }

    private let pool: BufferPool
    private var staging: UnsafeMutableRawPointer
    private var capacity: Int
    /// Staged bytes that are not used up: `start ..< end`.
    private var start = 0
    private var end = 0
    private var body: Body?
    /// The last frame had bulk: read the next header alone, so that its bulk need not be moved.
    private var expectsBulk = false

    private static let stagingByteCount = 16 << 10
    /// Of one read; a chunk that the checksum finds in the processor's cache.
    private static let bulkReadByteCountMax = 1 << 20

    init(pool: BufferPool) {
        self.pool = pool
        capacity = Self.stagingByteCount
        staging = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { staging.deallocate() }

    // MARK: Reading

    /// Reads once, after `next` has found nothing more. `isDrained` tells that the socket had no more than this.
    func read(from stream: any ByteStream) -> (progress: StreamProgress, isDrained: Bool) {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 3) { parts in
            let partCount = prepare(parts)
            let asked = UnsafeMutableBufferPointer(rebasing: parts[..<partCount])
            let progress = stream.read(into: UnsafeBufferPointer(asked))
            guard case .bytes(let count) = progress else { return (progress, true) }
            book(count)
            return (progress, count < asked.reduce(0) { $0 + $1.iov_len } && !stream.mayHaveMore)
        }
    }

    /// Sets where the next bytes go; returns in how many parts.
    private func prepare(_ parts: UnsafeMutableBufferPointer<iovec>) -> Int {
        guard let body else {
            compact()
            let count = expectsBulk ? FrameHeader.byteCount - end : capacity - end
            parts[0] = iovec(iov_base: staging + end, iov_len: count)
            return 1
        }
        guard let bulk = body.bulk, body.bulkRest > 0 else {
            parts[0] = iovec(iov_base: staging + end, iov_len: capacity - end)
            return 1
        }
        var partCount = 0
        let controlEnd = start + FrameHeader.byteCount + body.header.controlByteCount
        if end < controlEnd {
            parts[0] = iovec(iov_base: staging + end, iov_len: controlEnd - end)
            partCount = 1
        }
        let bulkCount = min(body.bulkRest, Self.bulkReadByteCountMax)
        parts[partCount] = iovec(iov_base: bulk.base + body.bulkFilled, iov_len: bulkCount)
        partCount += 1
        if bulkCount == body.bulkRest {
            // The next header as well: when there is none, the short read says so without a further call.
            parts[partCount] = iovec(iov_base: staging + controlEnd, iov_len: FrameHeader.byteCount)
            partCount += 1
        }
        return partCount
    }

    /// Books `count` bytes that were read as `prepare` asked for them.
    private func book(_ count: Int) {
        guard var body, body.bulk != nil, body.bulkRest > 0 else {
            end += count
            return
        }
        let controlEnd = start + FrameHeader.byteCount + body.header.controlByteCount
        let controlCount = min(count, controlEnd - end)
        end += controlCount
        if count > controlCount {
            checkControl(&body)
            let bulkCount = min(count - controlCount, body.bulkRest, Self.bulkReadByteCountMax)
            fillBulk(&body, bulkCount)
            end += count - controlCount - bulkCount
        }
        self.body = body
    }

    private func fillBulk(_ body: inout Body, _ count: Int) {
        guard let bulk = body.bulk else { return }
        if body.header.flags.contains(.checksummed) {
            body.checksum = CRC32C.extend(
                body.checksum, with: UnsafeRawBufferPointer(start: bulk.base + body.bulkFilled, count: count))
        }
        body.bulkFilled += count
    }

    private func checkControl(_ body: inout Body) {
        guard !body.hasCheckedControl else { return }
        body.hasCheckedControl = true
        if body.header.flags.contains(.checksummed) { body.checksum = CRC32C.checksum(control(of: body)) }
    }

    private func control(of body: Body) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: staging + start + FrameHeader.byteCount, count: body.header.controlByteCount)
    }

    // MARK: Frames

    /// The next frame that is complete; nil when more bytes are needed. `admit` sees each header before anything is
    /// allocated for its body, and throws when the frame may not come.
    func next(admit: (FrameHeader) throws -> Void) throws -> Frame? {
        guard var body = try body ?? nextBody(admit) else { return nil }
        let isComplete = useStaged(&body)
        self.body = isComplete ? nil : body
        guard isComplete else { return nil }
        let frame = try finish(body)
        start += FrameHeader.byteCount + body.header.controlByteCount
        expectsBulk = body.bulk != nil
        return frame
    }

    /// Gives the body what is staged of it; true when it has all.
    private func useStaged(_ body: inout Body) -> Bool {
        let controlEnd = start + FrameHeader.byteCount + body.header.controlByteCount
        guard end >= controlEnd else { return false }
        checkControl(&body)
        guard let bulk = body.bulk, body.bulkRest > 0 else { return true }
        // Only the first bytes of the bulk of a frame that nobody expected to have any.
        let count = min(body.bulkRest, end - controlEnd)
        (bulk.base + body.bulkFilled).copyMemory(from: staging + controlEnd, byteCount: count)
        fillBulk(&body, count)
        (staging + controlEnd).copyMemory(from: staging + controlEnd + count, byteCount: end - controlEnd - count)
        end -= count
        return body.bulkRest == 0
    }

    private func nextBody(_ admit: (FrameHeader) throws -> Void) throws -> Body? {
        guard end - start >= FrameHeader.byteCount else { return nil }
        let header = try FrameHeader(
            parsing: UnsafeRawBufferPointer(start: staging + start, count: FrameHeader.byteCount))
        try admit(header)
        // And for the header behind the body, which is read along with it.
        makeRoom(2 * FrameHeader.byteCount + header.controlByteCount)
        return Body(header: header, bulk: try land(header))
    }

    /// Where the bulk part goes.
    private func land(_ header: FrameHeader) throws(MemoryError) -> BufferSlice? {
        guard header.bulkByteCount > 0 else { return nil }
        return BufferSlice(
            buffer: try pool.take(byteCount: header.bulkByteCount), offset: 0, byteCount: header.bulkByteCount)
    }

    private func finish(_ body: Body) throws -> Frame {
        if body.header.flags.contains(.checksummed), body.checksum != body.header.bodyChecksum {
            throw WireError(
                .checksumMismatch,
                "the body of a \(body.header.kind) frame (method \(body.header.method), "
                    + "\(body.header.controlByteCount) + \(body.header.bulkByteCount) bytes) does not fit its checksum")
        }
        var bulk = body.bulk
        if let compressed = bulk, body.header.flags.contains(.bulkIsCompressed) {
            bulk = try BulkCodec.decompress(
                compressed, byteCount: body.header.bulkUncompressedByteCount, pool: pool)
        }
        return Frame(header: body.header, control: control(of: body), bulk: bulk)
    }

    // MARK: Staging

    /// Moves what is staged to the beginning, and gives a large buffer back.
    private func compact() {
        if capacity > 16 * Self.stagingByteCount, end - start < Self.stagingByteCount {
            resize(to: Self.stagingByteCount)
        } else {
            moveToBeginning()
        }
    }

    private func moveToBeginning() {
        guard start > 0 else { return }
        staging.copyMemory(from: staging + start, byteCount: end - start)
        end -= start
        start = 0
    }

    /// Makes the buffer hold `byteCount` bytes from `start` on.
    private func makeRoom(_ byteCount: Int) {
        if byteCount > capacity {
            resize(to: byteCount)
        } else if byteCount > capacity - start {
            moveToBeginning()
        }
    }

    private func resize(to newCapacity: Int) {
        let count = end - start
        let resized = UnsafeMutableRawPointer.allocate(byteCount: newCapacity, alignment: 64)
        resized.copyMemory(from: staging + start, byteCount: count)
        staging.deallocate()
        staging = resized
        capacity = newCapacity
        start = 0
        end = count
    }
}
