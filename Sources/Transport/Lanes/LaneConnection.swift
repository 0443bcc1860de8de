import Glibc
import Memory
import Synchronization
import Vocabulary
import Wire

/// One connection of a pair, from the handshake on: reads frames on the loop and hands them to its delegate; sends from
/// any thread through `outbound`.
///
/// `@unchecked Sendable`: all that varies is used on the loop's thread alone.
final class LaneConnection: ReadinessHandler, @unchecked Sendable {
    let outbound: OutboundQueue
    private let socket: Socket
    private let stream: any ByteStream
    private let loop: EventLoop
    private let reader: FrameReader
    private let queuedByteCountMax: Int
    private let pool: BufferPool
    /// A frame is being decompressed: nothing behind it is looked at.
    private var isDecoding = false
    private static let codec = CodecThread()
    private var watch: Watch?
    /// Holds on to its owner until the lane is closed.
    var delegate: (any LaneDelegate)?
    /// The job it was given in the handshake.
    var lane = Lane.control
    /// Where the handshake of an accepted connection has to wait for its turn.
    var turnstile: HandshakeTurnstile?
    private(set) var isClosed = false
    private(set) var isReading = true
    private var isReadingAgain = false
    private var isEnding = false
    /// Only waits for the other end to close.
    private var isLingering = false
    private var whenLingered: (@Sendable () -> Void)?

    /// Of one turn, so that a lane full of bulk leaves time for the others.
    private static let readByteCountMax = 256 << 10
    private static let wakeByteCount = 128 << 10
    private var lowWaterByteCount = 1
    /// How long the other end has to read our last words.
    private static let lingerTime = Instant.Span.seconds(1)

    /// - Parameter stream: nil for plain text.
    init(
        socket: Socket, stream: (any ByteStream)? = nil, loop: EventLoop, pool: BufferPool, options: TransportOptions
    ) {
        let stream = stream ?? PlainStream(socket: socket)
        self.socket = socket
        self.loop = loop
        self.stream = stream
        reader = FrameReader(pool: pool)
        queuedByteCountMax = options.queuedByteCountMax
        self.pool = pool
        outbound = OutboundQueue(stream: stream, byteCountMax: options.queuedByteCountMax)
    }

    /// Whether frames carry checksums of their bodies.
    var needsChecksums: Bool { !stream.protectsBytes }

    /// What is known of the other end. On the loop.
    var authentication: Authentication { stream.authentication }

    /// The other end's address, for logs.
    var remoteAddress: SocketAddress? { socket.remoteAddress }

    /// Whether the other end is on this host: no link is shared then.
    var isWithinHost: Bool { socket.remoteAddress?.isLoopback ?? true }

    func limitUnsent(_ byteCount: Int) { socket.limitUnsent(byteCount) }

    func chooseCongestionControl(_ name: String) { socket.chooseCongestionControl(name) }

    func limitRate(_ bytesPerSecond: UInt64) { socket.limitRate(bytesPerSecond) }

    var connectionState: Socket.ConnectionState? { socket.connectionState }

    /// Begins to read. On the loop.
    func open(delegate: any LaneDelegate) throws(TransportError) {
        self.delegate = delegate
        let watch = try loop.watch(socket.descriptor, for: [.readable, .ending], handler: self)
        self.watch = watch
        outbound.attach(watch) { [weak self, loop] reason in
            loop.execute { [weak self] in self?.end(LaneEnd(kind: .connection, reason: reason)) }
        }
        // The end that opens an encrypted connection speaks first.
        if !stream.isReady, turnstile == nil { read() }
    }

    /// More waits to be sent than callers may queue.
    var isBacklogged: Bool { outbound.queuedByteCount >= queuedByteCountMax }

    /// Answers that cannot wait for room may wait up to here.
    var answerByteCountMax: Int { queuedByteCountMax + (4 << 20) }

    /// Throws for a frame with a body that nothing protects.
    func requireChecksum(_ header: FrameHeader) throws {
        guard needsChecksums, header.controlByteCount + header.bulkByteCount > 0 else { return }
        guard header.flags.contains(.checksummed) else {
            throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame without a checksum of its body")
        }
    }

    // MARK: Reading

    func ready(for readiness: Readiness) {
        if readiness.contains(.writable), !isClosed { socketIsWritable() }
        guard !isClosed, !readiness.isDisjoint(with: [.readable, .ending, .broken]) else { return }
        if isLingering {
            discard()
        } else if isReading {
            if let turnstile, !stream.isReady { wait(for: turnstile, readiness) } else { read() }
        } else if !readiness.isDisjoint(with: [.ending, .broken]) {
            end(LaneEnd(kind: .connection, reason: "closed by the other end"))
        }
    }

    /// What is there to be read would wake the loop again and again until the lane's turn comes.
    private func wait(for turnstile: HandshakeTurnstile, _ readiness: Readiness) {
        if readiness.contains(.broken) {
            return end(LaneEnd(kind: .connection, reason: "closed by the other end in the handshake"))
        }
        watch?.change(removing: [.readable, .ending])
        turnstile.pass(self)
    }

    /// Its turn has come.
    func takeTurn() {
        guard !isClosed else { return }
        read()
        watch?.change(adding: isReading || isLingering ? [.readable, .ending] : .ending)
    }

    private func socketIsWritable() {
        if stream.isReady { return outbound.socketIsWritable() }
        if case .blocked = stream.flush() { return }
        watch?.change(removing: .writable)
    }

    /// Reads what is there, at most a turn's share. On the loop.
    func read() {
        let wasReady = stream.isReady
        readTurn()
        guard !isClosed else { return }
        if stream.isReady, !wasReady { outbound.socketIsWritable() }
        // Encryption has things of its own to say, which the queue knows nothing of.
        if stream.hasUnsentBytes { watch?.change(adding: .writable) }
        if stream.mayHaveMore, isReading, !isLingering { readAgain() }
    }

    /// In a turn of its own: the socket gives no sign for what the stream holds already.
    private func readAgain() {
        guard !isReadingAgain else { return }
        isReadingAgain = true
        loop.execute { [weak self] in
            guard let self else { return }
            isReadingAgain = false
            if isReading, !isClosed, !isLingering { read() }
        }
    }

    private func readTurn() {
        // What is left from before a pause goes first; the reader relies on it.
        deliver()
        defer { awaitMore() }
        var budget = Self.readByteCountMax
        while budget > 0, isReading, !isDecoding, !isClosed, !isLingering {
            let (progress, isDrained) = reader.read(from: stream)
            switch progress {
            case .bytes(let count):
                budget -= count
                delegate?.laneHeard(self)
                deliver()
                if isDrained { return }
            case .blocked: return
            case .ended(let isTruncated):
                let how = isTruncated ? ", without the end of its encrypted stream" : ""
                return end(LaneEnd(kind: .connection, reason: "closed by the other end" + how))
            case .failed(let reason):
                return end(LaneEnd(kind: stream.isReady ? .connection : .encryption, reason: reason))
            }
        }
    }

    /// In the midst of bulk the loop is woken for a good part of it, not for every packet. Never for more than what
    /// must come: that would be waited for in vain.
    private func awaitMore() {
        guard lane == .bulk, !isClosed, !stream.protectsBytes else { return }
        let count = max(1, min(reader.certainByteCount, Self.wakeByteCount))
        guard count != lowWaterByteCount else { return }
        lowWaterByteCount = count
        socket.setReceiveLowWater(count)
    }

    /// Hands on the frames that are complete.
    private func deliver() {
        do {
            while isReading, !isDecoding, !isClosed, !isLingering, let delegate {
                guard let frame = try reader.next(
                    admit: { try delegate.lane(self, admit: $0) }, place: { try delegate.lane(self, placeFor: $0) })
                else { return }
                if let bulk = frame.bulk, frame.header.flags.contains(.bulkIsCompressed) {
                    return decompress(frame, bulk)
                }
                try delegate.lane(self, received: frame)
            }
        } catch {
            fault(error)
        }
    }

    private func fault(_ error: any Error) {
        switch error {
        case let error as LaneEnd: end(error)
        case let error as WireError:
            end(LaneEnd(kind: error.kind == .unsupportedVersion ? .version : .violation, reason: error.message))
        default: end(LaneEnd(kind: .violation, reason: String(describing: error)))
        }
    }

    /// Off the loop, which others wait for; this lane waits.
    private func decompress(_ frame: FrameReader.Frame, _ bulk: BufferSlice) {
        isDecoding = true
        watch?.change(removing: .readable)
        let (header, pool, loop) = (frame.header, pool, loop)
        // The control part stays where it is as long as no further frame is asked for.
        let control = ControlPart(bytes: frame.control)
        Self.codec.run {
            let result = Result { () throws(WireError) in try BulkCodec.decompress(bulk, of: header, pool: pool) }
            loop.execute { [weak self] in self?.decompressed(header, control, result) }
        }
    }

    /// `@unchecked Sendable`: it only passes through the other thread.
    private struct ControlPart: @unchecked Sendable {
        let bytes: UnsafeRawBufferPointer
    }

    private func decompressed(_ header: FrameHeader, _ control: ControlPart, _ result: Result<BufferSlice, WireError>) {
        isDecoding = false
        guard !isClosed, !isLingering, let delegate else { return }
        do {
            try delegate.lane(
                self, received: FrameReader.Frame(header: header, control: control.bytes, bulk: try result.get()))
        } catch {
            return fault(error)
        }
        guard isReading, !isClosed, !isLingering else { return }
        watch?.change(adding: .readable)
        read()
    }

    /// Leaves what comes in the socket, which makes the other end wait. Its end is still noticed.
    func pauseReading() {
        isReading = false
        watch?.change(removing: .readable)
    }

    /// Frames that were read already are delivered in a turn of their own.
    func resumeReading() {
        guard !isReading, !isClosed else { return }
        isReading = true
        loop.execute { [self] in
            deliver()
            guard isReading, !isClosed else { return }
            watch?.change(adding: .readable)
            if stream.mayHaveMore { read() }
        }
    }

    // MARK: Ending

    /// Tells the delegate, which may close the lane itself, gently too; closes if it does not.
    func end(_ end: LaneEnd) {
        guard !isClosed, !isEnding else { return }
        isEnding = true
        delegate?.lane(self, ended: end)
        if !isLingering { close(TransportError(.peerLost, end.reason)) }
    }

    /// Ends the connection at once. `error` goes to those who wait for room. On the loop.
    func close(_ error: TransportError) {
        guard !isClosed else { return }
        isClosed = true
        watch?.cancel()
        watch = nil
        outbound.close(error)
        stream.shutDown()
        delegate = nil
        whenLingered?()
        whenLingered = nil
    }

    /// Sends what is queued, then closes once the other end has, or after a second: closing at once would let the
    /// system throw away what it has not read yet. On the loop.
    func closeGently(_ error: TransportError, whenClosed: @escaping @Sendable () -> Void = {}) {
        guard !isClosed, !isLingering else { return whenClosed() }
        isLingering = true
        whenLingered = whenClosed
        delegate = nil
        watch?.change(adding: .readable)
        outbound.finish(error)
        loop.schedule(after: Self.lingerTime) { [weak self] in
            self?.close(TransportError(.shutDown, "the connection was closed"))
        }
    }

    private func discard() {
        let isOver = withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) { bytes in
            for _ in 0..<16 {
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                switch withUnsafePointer(
                    to: &part,
                    {
                        stream.read(into: UnsafeBufferPointer(start: $0, count: 1))
                    })
                {
                case .bytes: continue
                case .blocked: return false
                case .ended, .failed: return true
                }
            }
            return false
        }
        if isOver { close(TransportError(.shutDown, "the connection was closed")) }
    }
}
