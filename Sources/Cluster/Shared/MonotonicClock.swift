import CSystem
import Vocabulary

/// The process's monotonic clock: cores are handed its instants.
enum MonotonicClock {
    static func now() -> Instant {
        Instant(nanoseconds: UInt64(ContinuousClock.now.nanosecondsSinceStart))
    }
}

extension ContinuousClock.Instant {
    private static let start = ContinuousClock.now

    fileprivate var nanosecondsSinceStart: Int64 {
        let (seconds, attoseconds) = Self.start.duration(to: self).components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
