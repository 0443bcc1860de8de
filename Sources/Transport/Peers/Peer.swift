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
    /// By their raw values.
    let lanes: [LaneConnection]
    let calls = CallTable()
    private let own: PeerIdentity
    private let loop: EventLoop
    private let handler: any PeerHandler
    /// When bytes last came, for each lane.
    private var heard: [Instant]
    private var lastPing: UInt64 = 0
    var inbox: Inbox?
    /// It has said goodbye.
    var isLeaving = false
    var isLost = false

    init(
        identity: PeerIdentity, host: String, listenPort: Int, version: UInt8, lanes: [LaneConnection],
        own: PeerIdentity, loop: EventLoop, handler: any PeerHandler
    ) {
        self.identity = identity
        self.host = host
        self.listenPort = listenPort
        self.version = version
        self.lanes = lanes
        self.own = own
        self.loop = loop
        self.handler = handler
        heard = Array(repeating: EventLoop.now, count: lanes.count)
    }

    subscript(lane: Lane) -> LaneConnection { lanes[Int(lane.rawValue)] }

    // MARK: Sending

    func frame(
        _ kind: FrameKind, _ message: any WireValue, method: UInt16 = 0, call: UInt64 = 0, object: UInt64 = 0,
        on lane: LaneConnection
    ) throws(WireError) -> OutboundFrame {
        try OutboundFrame(
            kind, message, method: method, call: call, object: object, incarnation: own.incarnation, version: version,
            isChecksummed: lane.needsChecksums)
    }

    func frame(_ kind: FrameKind, call: UInt64) -> OutboundFrame {
        OutboundFrame(kind, call: call, incarnation: own.incarnation, version: version)
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
        for lane in lanes where lane.isReading {
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
        try lane.requireChecksum(header)
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
        case .pong: break
        case .goodbye:
            guard lane.lane == .control else {
                throw LaneEnd(kind: .violation, reason: "a goodbye on the \(lane.lane) lane")
            }
            let failure = try RemoteFailure(control: frame.control, stamp: header.stamp, bulk: frame.bulk)
            handler.peer(self, says: failure)
        case .hello, .welcome, .refuse, .enrol, .enrolled: break
        }
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
