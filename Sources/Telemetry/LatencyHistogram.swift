import Histogram

/// Lengths of time with three significant digits in bounded memory (about 300 KB), however many there are.
///
/// Count, sum and mean are exact. A percentile is the smallest recorded value (to 0.1 %) that at least so many
/// per cent of the values do not exceed: the nearest-rank definition, without interpolation.
public struct LatencyHistogram: Sendable {
    /// Longer times are counted as this: one day.
    public static let nanosecondsMax: UInt64 = 86_400_000_000_000

    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 1, highestTrackableValue: LatencyHistogram.nanosecondsMax,
        numberOfSignificantValueDigits: .three)
    private var nanosecondsSum: Double = 0

    public init() {}

    public mutating func record(nanoseconds: UInt64) {
        let value = min(nanoseconds, Self.nanosecondsMax)
        histogram.record(value)
        nanosecondsSum += Double(value)
    }

    /// Adds all that `other` holds.
    public mutating func merge(_ other: LatencyHistogram) {
        histogram.add(other.histogram)
        nanosecondsSum += other.nanosecondsSum
    }

    public var count: Int { Int(clamping: histogram.totalCount) }

    /// In nanoseconds; nil when nothing is recorded.
    public var mean: Double? { count == 0 ? nil : nanosecondsSum / Double(count) }

    /// In nanoseconds; nil when nothing is recorded.
    public var median: Double? { percentile(50) }

    /// The longest, in nanoseconds; nil when nothing is recorded.
    public var maximum: Double? { percentile(100) }

    /// In nanoseconds; nil when nothing is recorded. `percent` is clamped to 0...100.
    public func percentile(_ percent: Double) -> Double? {
        guard count > 0 else { return nil }
        return Double(histogram.valueAtPercentile(min(max(percent, 0), 100)))
    }
}
