public import Telemetry

/// What was measured in one phase, of the requests that are not injected.
public struct PhaseStatistics: Sendable {
    public internal(set) var timeToFirstToken = LatencyHistogram()
    public internal(set) var interTokenLatency = LatencyHistogram()
    /// A chunk counts as many tokens as the chunks of its answer have on average.
    public internal(set) var outputTokenCount = 0.0

    public init() {}
}
