import Vocabulary

/// The shortest round trip of the last minute or two: what one takes when nothing is queued on the way.
struct LeastRoundTrip: Sendable {
    private var current = Double.infinity
    private var previous = Double.infinity
    private var began: Instant?

    private static let span = Instant.Span.seconds(60)

    var seconds: Double { min(current, previous) }

    mutating func add(_ seconds: Double, at now: Instant) {
        if let began, now - began < Self.span {
            current = min(current, seconds)
        } else {
            previous = current
            current = seconds
            began = now
        }
    }
}
