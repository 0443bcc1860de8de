public import Telemetry

/// Sums up requests as they end, in bounded memory.
public struct LoadStatistics: Sendable {
    public private(set) var succeededCount = 0
    /// How often each reason was given.
    public private(set) var failures: [String: Int] = [:]
    public private(set) var promptTokenCount = 0
    public private(set) var outputTokenCount = 0
    /// Of the requests that succeeded.
    public private(set) var timeToFirstToken = LatencyHistogram()
    public private(set) var timePerOutputToken = LatencyHistogram()
    public private(set) var interTokenLatency = LatencyHistogram()
    public private(set) var endToEndLatency = LatencyHistogram()

    /// More reasons than these are counted as one.
    private static let reasonCountMax = 20

    public init() {}

    public var failedCount: Int { failures.values.reduce(0, +) }

    public mutating func add(_ record: RequestRecord) {
        if let failure = record.failure {
            let isKept = failures[failure] != nil || failures.count < Self.reasonCountMax
            failures[isKept ? failure : "other reasons", default: 0] += 1
            return
        }
        succeededCount += 1
        promptTokenCount += record.promptTokenCount ?? 0
        outputTokenCount += record.outputTokenCount
        if let time = record.timeToFirstToken { timeToFirstToken.record(nanoseconds: time) }
        if let time = record.timePerOutputToken { timePerOutputToken.record(nanoseconds: time) }
        if let time = record.latency { endToEndLatency.record(nanoseconds: time) }
        for time in record.interTokenLatencies { interTokenLatency.record(nanoseconds: time) }
    }
}
