import Foundation
import Telemetry

/// The result of a load test, in the words and fields of vLLM's serving benchmark.
public struct LoadReport: Hashable, Sendable, Encodable {
    /// In milliseconds; nil when nothing was measured.
    public struct Latency: Hashable, Sendable {
        public var mean: Double?
        public var median: Double?
        public var p99: Double?

        init(_ histogram: LatencyHistogram) {
            mean = histogram.mean.map { $0 / 1e6 }
            median = histogram.median.map { $0 / 1e6 }
            p99 = histogram.percentile(99).map { $0 / 1e6 }
        }
    }

    public var plan: LoadPlan
    public var succeededCount: Int
    public var failedCount: Int
    /// How often each reason was given.
    public var failures: [String: Int]
    public var seconds: Double
    public var concurrencyPeak: Int
    public var promptTokenCount: Int
    public var outputTokenCount: Int
    public var timeToFirstToken: Latency
    /// Per request: the mean time of a token after the first.
    public var timePerOutputToken: Latency
    /// Between two chunks of output.
    public var interTokenLatency: Latency
    public var endToEndLatency: Latency

    public init(plan: LoadPlan, statistics: LoadStatistics, seconds: Double, concurrencyPeak: Int) {
        self.plan = plan
        self.seconds = seconds
        self.concurrencyPeak = concurrencyPeak
        succeededCount = statistics.succeededCount
        failedCount = statistics.failedCount
        failures = statistics.failures
        promptTokenCount = statistics.promptTokenCount
        outputTokenCount = statistics.outputTokenCount
        timeToFirstToken = Latency(statistics.timeToFirstToken)
        timePerOutputToken = Latency(statistics.timePerOutputToken)
        interTokenLatency = Latency(statistics.interTokenLatency)
        endToEndLatency = Latency(statistics.endToEndLatency)
    }

    /// Requests that succeeded per second.
    public var requestThroughput: Double { perSecond(succeededCount) }
    /// Output tokens per second.
    public var outputThroughput: Double { perSecond(outputTokenCount) }
    /// Prompt and output tokens per second.
    public var totalThroughput: Double { perSecond(promptTokenCount + outputTokenCount) }

    private func perSecond(_ count: Int) -> Double { seconds > 0 ? Double(count) / seconds : 0 }

    // MARK: - JSON

    /// The report as one JSON object with a line feed after it.
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(plan.model, forKey: Key("model_id"))
        try container.encode(plan.endpoint.rawValue, forKey: Key("endpoint"))
        try container.encode(plan.requestCount, forKey: Key("num_prompts"))
        try container.encode(plan.concurrencyMax, forKey: Key("max_concurrency"))
        if plan.requestRate.isFinite {
            try container.encode(plan.requestRate, forKey: Key("request_rate"))
        } else {
            try container.encode("inf", forKey: Key("request_rate"))
        }
        try container.encode(plan.seed, forKey: Key("seed"))
        try container.encode(seconds, forKey: Key("duration"))
        try container.encode(succeededCount, forKey: Key("completed"))
        try container.encode(failedCount, forKey: Key("failed"))
        try container.encode(failures, forKey: Key("errors"))
        try container.encode(concurrencyPeak, forKey: Key("max_concurrent_requests"))
        try container.encode(promptTokenCount, forKey: Key("total_input_tokens"))
        try container.encode(outputTokenCount, forKey: Key("total_output_tokens"))
        try container.encode(requestThroughput, forKey: Key("request_throughput"))
        try container.encode(outputThroughput, forKey: Key("output_throughput"))
        try container.encode(totalThroughput, forKey: Key("total_token_throughput"))
        for (name, latency) in latencies {
            try container.encode(latency.mean, forKey: Key("mean_\(name)_ms"))
            try container.encode(latency.median, forKey: Key("median_\(name)_ms"))
            try container.encode(latency.p99, forKey: Key("p99_\(name)_ms"))
        }
    }

    private var latencies: [(name: String, latency: Latency)] {
        [
            ("ttft", timeToFirstToken), ("tpot", timePerOutputToken), ("itl", interTokenLatency),
            ("e2el", endToEndLatency),
        ]
    }
}
