import Glibc
import Memory
import Synchronization
import Vocabulary
import Wire

/// A connected process: its three lanes, the calls that wait for it, and what it has asked of us.
///
/// `@unchecked Sendable`: all that varies is used on the loop's thread alone.
final class Peer: LaneDelegate, @unchecked Sendable {
    let identity: PeerIdentity
    /// Where it can be reached; port 0 when it does not listen.
    let host: String
    let listenPort: Int
    let version: UInt8
    let origin: LinkOrigin
    let kept: KeptMessages
    let calls = CallTable()
    let bulk: BulkExchange
    let pacer: BulkPacer
    private let own: PeerIdentity
    private let loop: EventLoop
    private let handler: any PeerHandler
    /// By their raw values. Changed on the loop alone.
    private let connections: Mutex<[LaneConnection]>
    /// When bytes last came, for each lane.
    private var heard: [Instant]
    /// How often each lane was made again, or was tried to.
    private var generations: [UInt32]
    /// Lost, and being made again.
    private var away: Set<Lane> = []
    private var lossCounts: [Lane: Int] = [:]
    private var lastPing: UInt64 = 0
    var inbox: Inbox?
    /// It has said goodbye.
    var isLeaving = false
    var isLost = false

    init(
        identity: PeerIdentity, host: String, listenPort: Int, version: UInt8, lanes: [LaneConnection],
        origin: LinkOrigin, own: PeerIdentity, loop: EventLoop, pool: BufferPool, options: TransportOptions,
        handler: any PeerHandler
    ) {
        self.identity = identity
        self.host = host
        self.listenPort = listenPort
        self.version = version
        self.origin = origin
        connections = Mutex(lanes)
        kept = KeptMessages(lane: lanes[Int(Lane.control.rawValue)])
        generations = Array(repeating: 0, count: lanes.count)
        self.own = own
        self.loop = loop
        self.handler = handler
        heard = Array(repeating: EventLoop.now, count: lanes.count)
        bulk = BulkExchange(
            node: identity.node, loop: loop,
            limits: BulkExchange.Limits(
                grantCountMax: options.bulkGrantCountMax, grantByteCountMax: options.bulkGrantByteCountMax,
                compression: options.bulkCompression), pool: pool)
        pacer = BulkPacer(pacing: options.bulkPacing, loop: loop)
        bulk.attach(self)
        pacer.attach(self)
    }

    /// By their raw values; a lane that is being made again is closed.
    var lanes: [LaneConnection] { connections.withLock { $0 } }

    subscript(lane: Lane) -> LaneConnection { connections.withLock { $0[Int(lane.rawValue)] } }

    // MARK: Sending

    func frame(
        _ kind: FrameKind, _ message: any WireValue, method: UInt16 = 0, call: UInt64 = 0, object: UInt64 = 0,
        on lane: LaneConnection
    ) throws(WireError) -> OutboundFrame {
        try OutboundFrame(
            kind, message, method: method, call: call, object: object, incarnation: own.incarnation, version: version,
            isChecksummed: lane.needsChecksums)
    }

    func frame(_ kind: FrameKind, call: UInt64, object: UInt64 = 0) -> OutboundFrame {
        OutboundFrame(kind, call: call, object: object, incarnation: own.incarnation, version: version)
    }

    /// The header of a piece of a bulk transfer, whose bytes `parts` tells.
    func piece(
        of transfer: UInt64, at position: Int, _ parts: Slice<UnsafeMutableBufferPointer<iovec>>
    ) -> FrameHeader {
        var header = FrameHeader(
            kind: .piece, bulkByteCount: parts.reduce(0) { $0 + $1.iov_len }, call: transfer, actor: UInt64(position),
            stamp: FrameStamp(incarnation: own.incarnation), version: version)
        guard self[.bulk].needsChecksums else { return header }
        header.flags = .checksummed
        for part in parts {
            header.bodyChecksum = CRC32C.extend(
                header.bodyChecksum, with: UnsafeRawBufferPointer(start: part.iov_base, count: part.iov_len))
        }
        return header
    }

    /// The header of a piece that was made ready before.
    func piece(of transfer: UInt64, at position: Int, _ encoded: PieceEncoder.Encoded) -> FrameHeader {
        var header = FrameHeader(
            kind: .piece, flags: encoded.isCompressed ? [.bulkIsCompressed, .bulkIsShuffled] : [],
            bulkByteCount: encoded.bulk.byteCount, bulkUncompressedByteCount: encoded.uncompressedByteCount,
            call: transfer, actor: UInt64(position), stamp: FrameStamp(incarnation: own.incarnation), version: version)
        guard self[.bulk].needsChecksums else { return header }
        header.flags.insert(.checksummed)
        header.bodyChecksum = encoded.bulk.withUnsafeBytes { CRC32C.checksum($0) }
        return header
    }

    /// Queues a small frame of the protocol's own, which is not lost with the control lane.
    func sendControl(_ frame: OutboundFrame) { kept.send(frame) }

    /// Queues a message on the control lane that is not lost with it; suspends while too much is on its way.
    func sendKept(_ frame: OutboundFrame, deadline: Instant?) async throws {
        while kept.isFull {
            // Rare: the other end is slow to read, or the lane is being made again.
            if let deadline, EventLoop.now >= deadline {
                throw TransportError(
                    .deadlineExceeded, "\(identity.node) did not take a message within its deadline",
                    peer: identity.node)
            }
            try Task.checkCancellation()
            if let closed = calls.closed { throw closed }
            await loop.sleep(.milliseconds(2))
        }
        if let closed = calls.closed { throw closed }
        kept.send(frame)
    }

    /// Tells the other end what came since the last time.
    func acknowledgeKept() {
        guard !away.contains(.control), let number = kept.takeAcknowledgement() else { return }
        self[.control].outbound.placeUrgently(frame(.acknowledge, call: number))
    }

    func sendControl(_ kind: FrameKind, call: UInt64, _ failure: RemoteFailure) {
        // A failure is cut to what fits a frame.
        if let frame = try? frame(kind, failure, call: call, on: self[.control]) { sendControl(frame) }
    }

    /// Queues a frame; suspends while the lane is full.
    func send(_ frame: OutboundFrame, on lane: LaneConnection, deadline: Instant? = nil) async throws {
        // Mostly there is room, and nothing to wait for.
        if try lane.outbound.placeAtOnce(frame) { return }
        try await lane.outbound.enqueue(frame, deadline: deadline, loop: loop, peer: identity.node)
    }

    /// Queues a small answer beyond the lane's limit, but not without end.
    func answer(_ frame: OutboundFrame, on lane: LaneConnection) throws {
        guard lane.outbound.queuedByteCount < lane.answerByteCountMax else {
            throw LaneEnd(kind: .violation, reason: "it asks on the \(lane.lane) lane and does not read the answers")
        }
        lane.outbound.placeUrgently(frame)
    }

    /// Ends a call of ours before its reply: takes it back when it has not gone out, tells the peer otherwise.
    func abandon(_ call: UInt64, on lane: LaneConnection, error: any Error) {
        guard let waiting = calls.take(call) else { return }
        if !lane.outbound.withdraw(Self.ticket(ofCall: call), error: error) {
            lane.outbound.placeUrgently(frame(.cancel, call: call))
        }
        waiting.continuation.resume(throwing: error)
    }

    /// Tickets of calls are told from others by their highest bit.
    static func ticket(ofCall call: UInt64) -> UInt64 { call | 1 << 63 }

    // MARK: Heartbeat

    /// The longest time for which nothing came on a lane that we read.
    func silence(at now: Instant) -> (lane: Lane, span: Instant.Span) {
        var longest = (lane: Lane.control, span: Instant.Span(nanoseconds: 0))
        for lane in lanes where lane.isReading && !lane.isClosed {
            let span = now - heard[Int(lane.lane.rawValue)]
            if span > longest.span { longest = (lane.lane, span) }
        }
        return longest
    }

    /// Asks for a sign of life on lanes that are silent for `span` or longer.
    func ping(ifSilentFor span: Instant.Span, at now: Instant) {
        for lane in lanes where now - heard[Int(lane.lane.rawValue)] >= span && !lane.isBacklogged {
            lastPing += 1
            lane.outbound.placeUrgently(frame(.ping, call: lastPing))
        }
    }

    /// Counts silence from now on: this process did not listen itself.
    func forgiveSilence(at now: Instant) {
        for index in heard.indices { heard[index] = now }
    }

    // MARK: Lanes made again

    func isAway(_ lane: Lane) -> Bool { away.contains(lane) }

    /// How often the lane was lost.
    func lossCount(of lane: Lane) -> Int { lossCounts[lane, default: 0] }

    func generation(of lane: Lane) -> UInt32 { generations[Int(lane.rawValue)] }

    /// A number that no try to make this lane again has had.
    func nextGeneration(of lane: Lane) -> UInt32 {
        generations[Int(lane.rawValue)] += 1
        return generations[Int(lane.rawValue)]
    }

    func note(generation: UInt32, of lane: Lane) { generations[Int(lane.rawValue)] = generation }

    /// A lane is lost: what waits on it fails.
    func leave(_ lane: Lane, _ error: TransportError) {
        away.insert(lane)
        lossCounts[lane, default: 0] += 1
        if lane == .control { kept.detach() }
        self[lane].close(error)
        calls.fail(on: lane, error)
        if lane == .bulk { bulk.laneWasLost(BulkFailure(.lost, error.message)) }
    }

    /// The lane is there again. False when the other end's count of kept messages cannot be.
    func enter(_ connection: LaneConnection, as lane: Lane, received: UInt64) -> Bool {
        connections.withLock { $0[Int(lane.rawValue)] = connection }
        away.remove(lane)
        heard[Int(lane.rawValue)] = EventLoop.now
        connection.delegate = self
        if lane == .control {
            guard kept.resume(on: connection, received: received) else { return false }
        } else {
            bulk.attach(self)
            pacer.attach(self)
            connection.outbound.kick()
        }
        connection.resumeReading()
        return true
    }

    // MARK: Receiving

    func laneHeard(_ lane: LaneConnection) { heard[Int(lane.lane.rawValue)] = EventLoop.now }

    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws {
        guard !header.kind.isHandshake else {
            throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame after the handshake")
        }
        guard header.version == version else {
            throw LaneEnd(
                kind: .violation, reason: "a frame of version \(header.version) where \(version) was agreed on")
        }
        let incarnation = header.stamp.incarnation
        guard incarnation == identity.incarnation || incarnation.rawValue == 0 else {
            throw LaneEnd(
                kind: .violation,
                reason: "a frame of incarnation \(incarnation) from incarnation \(identity.incarnation)")
        }
        if let needed = Self.lane(of: header.kind), lane.lane != needed {
            throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame on the \(lane.lane) lane")
        }
        try lane.requireChecksum(header)
    }

    /// The only lane for this kind; nil when there are several.
    private static func lane(of kind: FrameKind) -> Lane? {
        switch kind {
        case .goodbye, .grant, .landed, .revoke, .abandon, .acknowledge: .control
        case .piece: .bulk
        default: nil
        }
    }

    func lane(_ lane: LaneConnection, placeFor piece: FrameHeader) throws -> InboundTransfer? {
        try bulk.admit(piece: piece)
    }

    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) throws {
        let header = frame.header
        switch header.kind {
        case .call, .oneWay: try handler.peer(self, asks: frame, on: lane)
        case .cancel: inbox?.cancel(header.call)
        case .reply, .failure: finishCall(frame)
        case .ping:
            // What waits to be sent is a sign of life as well.
            if !lane.isBacklogged { lane.outbound.placeUrgently(self.frame(.pong, call: header.call)) }
        case .pong: if lane.lane == .control { pacer.pong(header.call) }
        case .goodbye:
            handler.peer(self, says: try failure(frame))
        case .grant: try bulk.granted(header.call, byteCount: header.actor)
        case .piece: bulk.landed(piece: header, frame.bulk)
        case .landed: try bulk.landed(header.call)
        case .revoke: try bulk.revoked(header.call, try failure(frame))
        case .abandon: try bulk.abandoned(header.call, try failure(frame))
        case .acknowledge:
            guard kept.acknowledge(header.call) else {
                throw LaneEnd(kind: .violation, reason: "\(header.call) messages are acknowledged, more than were sent")
            }
        case .hello, .welcome, .refuse, .enrol, .enrolled: break
        }
        guard lane.lane == .control, header.kind.isKept, !away.contains(.control) else { return }
        if let number = kept.received(byteCount: header.frameByteCount) {
            lane.outbound.placeUrgently(self.frame(.acknowledge, call: number))
        }
    }

    private func failure(_ frame: FrameReader.Frame) throws -> RemoteFailure {
        try RemoteFailure(control: frame.control, stamp: frame.header.stamp, bulk: frame.bulk)
    }

    private func finishCall(_ frame: FrameReader.Frame) {
        // Unknown: its caller waits no more.
        guard let waiting = calls.take(frame.header.call) else { return }
        do {
            if frame.header.kind == .failure {
                waiting.continuation.resume(
                    throwing: try RemoteFailure(control: frame.control, stamp: frame.header.stamp, bulk: frame.bulk))
            } else {
                waiting.continuation.resume(
                    returning: try waiting.resultType.init(
                        control: frame.control, stamp: frame.header.stamp, bulk: frame.bulk))
            }
        } catch {
            waiting.continuation.resume(
                throwing: TransportError(
                    .invalidMessage, "the reply of \(identity.node) cannot be read: \(error)", peer: identity.node))
        }
    }

    func lane(_ lane: LaneConnection, ended end: LaneEnd) { handler.peer(self, lost: lane, end) }
}

/// What a peer's frames and its end lead to. Called on the loop.
protocol PeerHandler: AnyObject, Sendable {
    /// A call or a one-way message.
    func peer(_ peer: Peer, asks frame: FrameReader.Frame, on lane: LaneConnection) throws
    /// Goodbye.
    func peer(_ peer: Peer, says goodbye: RemoteFailure)
    func peer(_ peer: Peer, lost lane: LaneConnection, _ end: LaneEnd)
}
