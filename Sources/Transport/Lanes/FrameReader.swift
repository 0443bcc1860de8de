import Glibc
import Memory
import Wire

/// Cuts the bytes of a connection into frames. Header and control part lie in one buffer that is used again and again;
/// bulk goes from the socket to the buffer it stays in, pieces of bulk transfers to their landing places. A frame like
/// the one before it is read in one go, bulk included.
///
/// Not thread-safe: for the loop's thread.
final class FrameReader {
    struct Frame {
        let header: FrameHeader
        /// Valid until the next frame is asked for.
        let control: UnsafeRawBufferPointer
        /// As it came; nil when there is none, and for pieces that lie in their place already.
        let bulk: BufferSlice?
    }

    /// The frame whose body is coming in.
    private struct Body {
        let header: FrameHeader
        let bulk: BufferSlice?
        /// Of a piece, as long as its transfer is not over.
        var place: InboundTransfer?
        var bulkFilled = 0
        var checksum: UInt32 = 0
        var hasCheckedControl = false
        /// Bytes of a piece went nowhere: there is nothing to be checked.
        var isDiscarded = false

        var bulkRest: Int { header.bulkByteCount - bulkFilled }
    }

    /// The lengths of the frame that is likely to come next, and where its bulk would land.
    private struct Guess {
        let controlByteCount: Int
        let bulkByteCount: Int
        let buffer: AlignedBuffer

        var headByteCount: Int { FrameHeader.byteCount + controlByteCount }
    }

    private let pool: BufferPool
    private var landing: LandingBuffers
    private var staging: UnsafeMutableRawPointer
    private var capacity: Int
    /// Staged bytes that are not used up: `start ..< end`.
    private var start = 0
    private var end = 0
    private var body: Body?
    /// The next read asks for a whole frame of these lengths.
    private var guess: Guess?
    /// So many bytes of the bulk of the frame at `start` lie in the guess's buffer already.
    private var guessedBulkFilled = 0
    /// The last frame had bulk: read the next header alone, so that its bulk need not be moved.
    private var expectsBulk = false

    /// Where the rest of pieces goes whose transfers are over.
    private lazy var scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    private var hasScratch = false

    private static let stagingByteCount = 16 << 10
    /// Of one read.
    private static let partCountMax = 64
    /// Of one read; a chunk that the checksum finds in the processor's cache.
    private static let bulkReadByteCountMax = 256 << 10
    /// A wrong guess costs a copy of this much.
    private static let guessedBulkByteCountMax = 64 << 10

    init(pool: BufferPool) {
        self.pool = pool
        landing = LandingBuffers(pool: pool)
        capacity = Self.stagingByteCount
        staging = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        staging.deallocate()
        if hasScratch { scratch.deallocate() }
    }

    // MARK: Reading

    /// Reads once, after `next` has found nothing more. `isDrained` tells that the socket had no more than this.
    func read(from stream: any ByteStream) -> (progress: StreamProgress, isDrained: Bool) {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.partCountMax) { parts in
            let partCount = prepare(parts)
            let asked = UnsafeMutableBufferPointer(rebasing: parts[..<partCount])
            let progress = stream.read(into: UnsafeBufferPointer(asked))
            guard case .bytes(let count) = progress else { return (progress, true) }
            book(count, asked)
            return (progress, count < asked.reduce(0) { $0 + $1.iov_len } && !stream.mayHaveMore)
        }
    }

    /// Sets where the next bytes go; returns in how many parts.
    private func prepare(_ parts: UnsafeMutableBufferPointer<iovec>) -> Int {
        guard let body else { return prepareForHeader(parts) }
        guard body.bulkRest > 0 else {
            parts[0] = iovec(iov_base: staging + end, iov_len: capacity - end)
            return 1
        }
        var partCount = 0
        let controlEnd = start + FrameHeader.byteCount + body.header.controlByteCount
        if end < controlEnd {
            parts[0] = iovec(iov_base: staging + end, iov_len: controlEnd - end)
            partCount = 1
        }
        let bulk = gatherBulk(body, into: UnsafeMutableBufferPointer(rebasing: parts[partCount..<(parts.count - 1)]))
        partCount += bulk.partCount
        if bulk.byteCount == body.bulkRest {
            // The next header as well: when there is none, the short read says so without a further call.
            parts[partCount] = iovec(iov_base: staging + controlEnd, iov_len: FrameHeader.byteCount)
            partCount += 1
        }
        return partCount
    }

    /// Where the rest of the bulk part goes, or the beginning of it.
    private func gatherBulk(
        _ body: Body, into parts: UnsafeMutableBufferPointer<iovec>
    ) -> (partCount: Int, byteCount: Int) {
        let count = min(body.bulkRest, Self.bulkReadByteCountMax)
        if let place = body.place, !place.isOver { return place.gather(into: parts, byteCountMax: count) }
        if let bulk = body.bulk {
            parts[0] = iovec(iov_base: bulk.base + body.bulkFilled, iov_len: count)
            return (1, count)
        }
        hasScratch = true
        parts[0] = iovec(iov_base: scratch.baseAddress, iov_len: min(count, scratch.count))
        return (1, min(count, scratch.count))
    }

    private func prepareForHeader(_ parts: UnsafeMutableBufferPointer<iovec>) -> Int {
        compact()
        guard let guess, end == 0 else {
            guess = nil
            let count = expectsBulk ? FrameHeader.byteCount - end : capacity - end
            parts[0] = iovec(iov_base: staging + end, iov_len: count)
            return 1
        }
        // If the guess is wrong, all of it must find room here.
        makeRoom(guess.headByteCount + guess.bulkByteCount + FrameHeader.byteCount)
        parts[0] = iovec(iov_base: staging, iov_len: guess.headByteCount)
        parts[1] = iovec(iov_base: guess.buffer.base, iov_len: guess.bulkByteCount)
        parts[2] = iovec(iov_base: staging + guess.headByteCount, iov_len: FrameHeader.byteCount)
        return 3
    }

    /// Books `count` bytes that were read to `parts`, as `prepare` asked for them.
    private func book(_ count: Int, _ parts: UnsafeMutableBufferPointer<iovec>) {
        if body == nil, guess != nil, end == 0 { return bookGuessed(count) }
        guard var body, body.bulkRest > 0 else {
            end += count
            return
        }
        let controlEnd = start + FrameHeader.byteCount + body.header.controlByteCount
        let hasControlPart = end < controlEnd
        let controlCount = min(count, controlEnd - end)
        end += controlCount
        if count > controlCount {
            checkControl(&body)
            let bulkCount = min(count - controlCount, body.bulkRest)
            fillBulk(&body, bulkCount, UnsafeMutableBufferPointer(rebasing: parts[(hasControlPart ? 1 : 0)...]))
            end += count - controlCount - bulkCount
        }
        self.body = body
    }

    private func bookGuessed(_ count: Int) {
        guard let guess, count > guess.headByteCount else {
            // Nothing of it can be bulk that was guessed right.
            guess = nil
            end = count
            return
        }
        let bulkCount = min(count - guess.headByteCount, guess.bulkByteCount)
        let tailCount = count - guess.headByteCount - bulkCount
        let lengths = FrameHeader.lengths(at: UnsafeRawPointer(staging))
        if lengths.controlByteCount == guess.controlByteCount, lengths.bulkByteCount == guess.bulkByteCount {
            guessedBulkFilled = bulkCount
            end = guess.headByteCount + tailCount
        } else {
            // The bytes in their order, as if they had been read to here.
            let bulkStart = staging + guess.headByteCount
            (bulkStart + bulkCount).copyMemory(from: bulkStart, byteCount: tailCount)
            bulkStart.copyMemory(from: guess.buffer.base, byteCount: bulkCount)
            self.guess = nil
            end = count
        }
    }

    /// Books bytes of the bulk part that lie in `parts`, or in the body's buffer where there are none.
    private func fillBulk(_ body: inout Body, _ count: Int, _ parts: UnsafeMutableBufferPointer<iovec>? = nil) {
        if let place = body.place, !place.isOver {
            place.advance(count)
        } else if body.bulk == nil {
            body.isDiscarded = true
        }
        if body.header.flags.contains(.checksummed), !body.isDiscarded {
            if let parts {
                var rest = count
                for part in parts where rest > 0 {
                    let partCount = min(rest, part.iov_len)
                    body.checksum = CRC32C.extend(
                        body.checksum, with: UnsafeRawBufferPointer(start: part.iov_base, count: partCount))
                    rest -= partCount
                }
            } else if let bulk = body.bulk {
                body.checksum = CRC32C.extend(
                    body.checksum, with: UnsafeRawBufferPointer(start: bulk.base + body.bulkFilled, count: count))
            }
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

    /// So many bytes at least must come before there is another frame.
    var certainByteCount: Int { body?.bulkRest ?? 0 }

    // MARK: Frames

    /// The next frame that is complete; nil when more bytes are needed. `admit` sees each header before anything is
    /// allocated for its body, and throws when the frame may not come.
    ///
    /// - Parameter place: where a piece's bytes go, asked for after it was admitted.
    func next(
        admit: (FrameHeader) throws -> Void, place: (FrameHeader) throws -> InboundTransfer?
    ) throws -> Frame? {
        guard var body = try body ?? nextBody(admit, place) else { return nil }
        let isComplete = useStaged(&body)
        self.body = isComplete ? nil : body
        guard isComplete else { return nil }
        let frame = try finish(body)
        start += FrameHeader.byteCount + body.header.controlByteCount
        try expect(another: body)
        return frame
    }

    /// Gives the body what is staged of it; true when it has all.
    private func useStaged(_ body: inout Body) -> Bool {
        let controlEnd = start + FrameHeader.byteCount + body.header.controlByteCount
        guard end >= controlEnd else { return false }
        checkControl(&body)
        guard body.bulkRest > 0 else { return true }
        if guessedBulkFilled > 0 {
            let count = guessedBulkFilled
            guessedBulkFilled = 0
            if body.bulk != nil {
                fillBulk(&body, count)
            } else if let guess {
                copyStaged(&body, count, from: guess.buffer.base)
            }
            return body.bulkRest == 0
        }
        // Only the first bytes of the bulk of a frame that nobody expected to have any.
        let count = min(body.bulkRest, end - controlEnd)
        copyStaged(&body, count, from: staging + controlEnd)
        (staging + controlEnd).copyMemory(from: staging + controlEnd + count, byteCount: end - controlEnd - count)
        end -= count
        return body.bulkRest == 0
    }

    private func copyStaged(_ body: inout Body, _ count: Int, from bytes: UnsafeMutableRawPointer) {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.partCountMax) { parts in
            var copied = 0
            while copied < count {
                let target = gatherBulk(body, into: parts)
                let wanted = min(target.byteCount, count - copied)
                var filled = 0
                for part in parts[..<target.partCount] where filled < wanted {
                    let partCount = min(part.iov_len, wanted - filled)
                    part.iov_base.copyMemory(from: bytes + copied + filled, byteCount: partCount)
                    filled += partCount
                }
                fillBulk(&body, wanted, parts)
                copied += wanted
            }
        }
    }

    private func nextBody(
        _ admit: (FrameHeader) throws -> Void, _ place: (FrameHeader) throws -> InboundTransfer?
    ) throws -> Body? {
        guard end - start >= FrameHeader.byteCount else { return nil }
        let header = try FrameHeader(
            parsing: UnsafeRawBufferPointer(start: staging + start, count: FrameHeader.byteCount))
        try admit(header)
        // And for the header behind the body, which is read along with it.
        makeRoom(2 * FrameHeader.byteCount + header.controlByteCount)
        guard header.kind == .piece else { return Body(header: header, bulk: try land(header)) }
        let target = try place(header)
        // Compressed bytes cannot lie where the others will.
        let isInPlace = target == nil || !header.flags.contains(.bulkIsCompressed)
        return isInPlace
            ? Body(header: header, bulk: nil, place: target) : Body(header: header, bulk: try land(header))
    }

    /// Where the bulk part goes.
    private func land(_ header: FrameHeader) throws(MemoryError) -> BufferSlice? {
        guard header.bulkByteCount > 0 else { return nil }
        if guessedBulkFilled > 0, let guess {
            return BufferSlice(buffer: guess.buffer, offset: 0, byteCount: header.bulkByteCount)
        }
        return BufferSlice(
            buffer: try landing.take(byteCount: header.bulkByteCount), offset: 0, byteCount: header.bulkByteCount)
    }

    private func expect(another body: Body) throws(MemoryError) {
        expectsBulk = body.header.bulkByteCount > 0
        guess = nil
        guard body.bulk != nil, body.header.bulkByteCount <= Self.guessedBulkByteCountMax else { return }
        guess = Guess(
            controlByteCount: body.header.controlByteCount, bulkByteCount: body.header.bulkByteCount,
            buffer: try landing.take(byteCount: body.header.bulkByteCount))
    }

    private func finish(_ body: Body) throws -> Frame {
        if body.header.flags.contains(.checksummed), !body.isDiscarded, body.checksum != body.header.bodyChecksum {
            throw WireError(
                .checksumMismatch,
                "the body of a \(body.header.kind) frame (method \(body.header.method), "
                    + "\(body.header.controlByteCount) + \(body.header.bulkByteCount) bytes) does not fit its checksum")
        }
        return Frame(header: body.header, control: control(of: body), bulk: body.bulk)
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
