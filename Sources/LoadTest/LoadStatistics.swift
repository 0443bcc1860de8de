public import Telemetry

/// Sums up requests as they end, in bounded memory.
public struct LoadStatistics: Sendable {
    public private(set) var succeededCount = 0
    /// How often each reason was given.
    public private(set) var failures: [String: Int] = [:]
    /// Requests whose client went away, as the plan says.
    public private(set) var disconnectedCount = 0
    /// What those got until then.
    public private(set) var disconnectedOutputTokenCount = 0
    public private(set) var promptTokenCount = 0
    /// Of the prompts, in the server's prefix cache; nil when the server does not tell.
    public private(set) var cachedTokenCount: Int?
    public private(set) var outputTokenCount = 0
    /// Of the requests that succeeded, and, like the times between tokens, of those whose client went away later.
    public private(set) var timeToFirstToken = LatencyHistogram()
    public private(set) var timePerOutputToken = LatencyHistogram()
    public private(set) var interTokenLatency = LatencyHistogram()
    public private(set) var endToEndLatency = LatencyHistogram()
    /// From the moment a request was due until it was sent.
    public private(set) var sendDelay = LatencyHistogram()
    /// Times to the first token by the turn of a conversation.
    public private(set) var turns: [LatencyHistogram]
    /// In the order of `LoadPhase.allCases`.
    public private(set) var phases = LoadPhase.allCases.map { _ in PhaseStatistics() }

    /// More reasons than these are counted as one.
    private static let reasonCountMax = 20

    /// - Parameter turnCount: of a conversation; 1 when there are none.
    public init(turnCount: Int = 1) {
        turns = (0..<max(turnCount, 1)).map { _ in LatencyHistogram() }
    }

    public var failedCount: Int { failures.values.reduce(0, +) }

    public mutating func add(_ record: RequestRecord) {
        add(record, timeline: PhaseTimeline(warmUpEnd: 0, injectionCount: 0))
    }

    package mutating func add(_ record: RequestRecord, timeline: PhaseTimeline) {
        sendDelay.record(nanoseconds: record.sendNanoseconds - min(record.startNanoseconds, record.sendNanoseconds))
        if let failure = record.failure { return add(failure: failure) }
        if record.isDisconnected {
            disconnectedCount += 1
            disconnectedOutputTokenCount += record.outputTokenCount
        } else {
            succeededCount += 1
            promptTokenCount += record.promptTokenCount ?? 0
            if let count = record.cachedTokenCount { cachedTokenCount = (cachedTokenCount ?? 0) + count }
            outputTokenCount += record.outputTokenCount
            if let time = record.timePerOutputToken { timePerOutputToken.record(nanoseconds: time) }
            if let time = record.latency { endToEndLatency.record(nanoseconds: time) }
        }
        if let time = record.timeToFirstToken {
            timeToFirstToken.record(nanoseconds: time)
            if record.turn < turns.count { turns[record.turn].record(nanoseconds: time) }
        }
        for time in record.interTokenLatencies { interTokenLatency.record(nanoseconds: time) }
        addPhases(of: record, timeline: timeline)
    }

    public mutating func add(failure: String) {
        let isKept = failures[failure] != nil || failures.count < Self.reasonCountMax
        failures[isKept ? failure : "other reasons", default: 0] += 1
    }

    private mutating func addPhases(of record: RequestRecord, timeline: PhaseTimeline) {
        let times = record.outputNanoseconds
        guard let first = times.first else { return }
        let phase = timeline.phase(from: record.startNanoseconds, to: first).rawValue
        phases[phase].timeToFirstToken.record(nanoseconds: first - record.startNanoseconds)
        let tokensPerChunk = Double(record.outputTokenCount) / Double(times.count)
        for index in times.indices {
            phases[timeline.phase(from: times[index], to: times[index]).rawValue].outputTokenCount += tokensPerChunk
            guard index > 0 else { continue }
            let phase = timeline.phase(from: times[index - 1], to: times[index]).rawValue
            phases[phase].interTokenLatency.record(nanoseconds: times[index] - times[index - 1])
        }
    }
}
