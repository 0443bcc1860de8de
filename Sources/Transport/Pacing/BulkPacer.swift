import Vocabulary
import Wire

/// Keeps the bulk lane of one peer from filling the queue that all its lanes share on the way: while bulk is being
/// sent, it measures the control lane's round trip many times a second and sets the bulk socket's pacing rate.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class BulkPacer: @unchecked Sendable {
    private let pacing: BulkPacing
    private let loop: EventLoop
    private weak var peer: Peer?
    private var timer: LoopTimer?
    private var controller = RateController()
    private var least = LeastRoundTrip()
    /// The last few, in seconds.
    private var roundTrips: [Double] = []
    /// The probe that is on its way.
    private var probe: (number: UInt64, sent: Instant)?
    private var lastProbe: UInt64 = 0
    private var delivered: (byteCount: UInt64, at: Instant)?
    private var idleTickCount = 0
    private var tickCount = 0

    /// Probes are told from other pings by their highest bit.
    private static let probeBit: UInt64 = 1 << 63
    private static let interval = Instant.Span.milliseconds(10)
    /// A scheduler's delay only ever makes a round trip longer: the least of a few is nearest to the network's.
    private static let roundTripCount = 3
    private static let idleTickCountMax = 100
    /// Every so many ticks the queue is let run dry for a moment, to see the least round trip again.
    private static let drainTickCount = 2000
    private static let drainingTickCount = 3
    /// What may wait unsent in the kernel: what waits here can still give way.
    static let unsentByteCountMax = 256 << 10

    init(pacing: BulkPacing, loop: EventLoop) {
        self.pacing = pacing
        self.loop = loop
    }

    /// The rate in bytes a second and the queue's delay in seconds, for logs and tests; nil while nothing is paced.
    var state: (rate: Double, delay: Double)? { timer == nil ? nil : (controller.rate, controller.delay) }

    /// The peer has a bulk lane, a first or another one.
    func attach(_ peer: Peer) {
        self.peer = peer
        delivered = nil
        for lane in [peer[.activations], peer[.bulk]] where !lane.isWithinHost {
            lane.limitUnsent(Self.unsentByteCountMax)
        }
        switch pacing {
        case .unlimited: break
        case .bytesPerSecond(let rate):
            peer[.bulk].limitRate(UInt64(max(1, rate)))
            peer.bulk.setLinkRate(Double(rate))
        case .automatic:
            guard !peer[.bulk].isWithinHost else { return }
            // The rate is found here. BBR would look for it as well, and stand nearly still every ten seconds for that.
            peer[.bulk].chooseCongestionControl("cubic")
            if timer != nil { peer[.bulk].limitRate(UInt64(controller.rate)) }
        }
    }

    /// Bulk is about to be sent.
    func bulkBegins() {
        guard case .automatic = pacing, timer == nil, let peer, !peer[.bulk].isWithinHost else { return }
        idleTickCount = 0
        delivered = nil
        peer[.bulk].limitRate(UInt64(controller.rate))
        tick()
    }

    private func tick() {
        guard let peer, !peer.isLost else { return stop() }
        idleTickCount = peer.bulk.isSending ? 0 : idleTickCount + 1
        guard idleTickCount < Self.idleTickCountMax else { return stop() }
        if probe == nil {
            lastProbe += 1
            probe = (lastProbe | Self.probeBit, EventLoop.now)
            peer[.control].outbound.placeUrgently(peer.frame(.ping, call: lastProbe | Self.probeBit))
        }
        timer = loop.schedule(after: Self.interval) { [weak self] in self?.tick() }
    }

    private func stop() {
        timer?.cancel()
        timer = nil
        probe = nil
        roundTrips = []
    }

    /// The answer to a ping on the control lane.
    func pong(_ number: UInt64) {
        guard let probe, probe.number == number, let peer else { return }
        self.probe = nil
        let now = EventLoop.now
        let roundTrip = (now - probe.sent).seconds
        least.add(roundTrip, at: now)
        roundTrips.append(roundTrip)
        if roundTrips.count > Self.roundTripCount { roundTrips.removeFirst() }
        guard let shortest = roundTrips.min(), let state = peer[.bulk].connectionState else { return }
        let acknowledged = state.acknowledgedByteCount
        defer { delivered = (acknowledged, now) }
        guard let delivered, acknowledged >= delivered.byteCount else { return }
        let elapsed = (now - delivered.at).seconds
        guard elapsed > 0 else { return }
        tickCount += 1
        let phase = tickCount % Self.drainTickCount
        if phase < Self.drainingTickCount, !controller.isStarting {
            if phase == 0 { peer[.bulk].limitRate(UInt64(controller.rate / 2)) }
            return
        }
        // Where the control lane has a queue of its own, bulk harms nobody with its. And a busy processor delays what
        // this process measures, but hardly what the kernel does.
        let delay = min(max(0, shortest - least.seconds), state.queueDelay)
        controller.sample(
            delay: delay, elapsed: elapsed,
            deliveredRate: Double(acknowledged - delivered.byteCount) / elapsed)
        peer[.bulk].limitRate(UInt64(controller.rate))
        if !controller.isStarting { peer.bulk.setLinkRate(controller.rate) }
    }
}
