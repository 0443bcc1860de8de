/// A point on a process's monotonic clock, in nanoseconds. Pure cores are handed instants and never read a clock.
public struct Instant: Hashable, Sendable, Comparable {
    public let nanoseconds: UInt64
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
    public static func + (left: Instant, right: Span) -> Instant {
        Instant(nanoseconds: left.nanoseconds &+ right.nanoseconds)
    }
    /// The time from `right` to `left`; zero when `right` is later.
    public static func - (left: Instant, right: Instant) -> Span {
        Span(nanoseconds: left.nanoseconds > right.nanoseconds ? left.nanoseconds - right.nanoseconds : 0)
    }

    /// A length of time in nanoseconds, never negative.
    public struct Span: Hashable, Sendable, Comparable {
        public let nanoseconds: UInt64
        public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
        public static func milliseconds(_ count: UInt64) -> Span { Span(nanoseconds: count * 1_000_000) }
        public static func seconds(_ count: UInt64) -> Span { Span(nanoseconds: count * 1_000_000_000) }
        public static func < (left: Span, right: Span) -> Bool { left.nanoseconds < right.nanoseconds }
        public var seconds: Double { Double(nanoseconds) / 1e9 }
    }
}
