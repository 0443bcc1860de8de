import Vocabulary

/// Lets strangers' handshakes pass one by one, with a rest after each: signatures take as long as hundreds of frames,
/// and whoever floods us with connections must not hold up the lanes that are served by the same loop.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class HandshakeTurnstile: @unchecked Sendable {
    private let loop: EventLoop
    /// In the order in which they came; no more than there may be half-open connections.
    private var waiting: [LaneConnection] = []
    private var isResting = false

    /// Handshakes get one part of the loop's time in so many.
    private static let share: UInt64 = 4

    init(loop: EventLoop) { self.loop = loop }

    /// Lets the lane take its turn, now or when it has come.
    func pass(_ lane: LaneConnection) {
        guard !waiting.contains(where: { $0 === lane }) else { return }
        waiting.append(lane)
        if !isResting { step() }
    }

    private func step() {
        isResting = false
        guard !waiting.isEmpty else { return }
        let lane = waiting.removeFirst()
        let begin = EventLoop.now
        lane.takeTurn()
        let span = EventLoop.now - begin
        isResting = true
        loop.schedule(after: Instant.Span(nanoseconds: span.nanoseconds * (Self.share - 1))) { [weak self] in
            self?.step()
        }
    }
}
