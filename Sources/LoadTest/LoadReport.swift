import Telemetry

/// The result of a load test, in the words and fields of vLLM's serving benchmark.
public struct LoadReport: Hashable, Sendable {
    /// In milliseconds; nil when nothing was measured.
    public struct Latency: Hashable, Sendable {
        public var mean: Double?
        public var median: Double?
        public var p90: Double?
        public var p99: Double?
        public var max: Double?

        init(_ histogram: LatencyHistogram) {
            mean = histogram.mean.map { $0 / 1e6 }
            median = histogram.median.map { $0 / 1e6 }
            p90 = histogram.percentile(90).map { $0 / 1e6 }
            p99 = histogram.percentile(99).map { $0 / 1e6 }
            max = histogram.maximum.map { $0 / 1e6 }
        }
    }

    /// A stretch of the run.
    public struct Phase: Hashable, Sendable {
        public var phase: LoadPhase
        public var seconds: Double
        public var outputTokenCount: Double
        /// Of requests that arrived or waited in the phase.
        public var timeToFirstToken: Latency
        public var interTokenLatency: Latency

        /// Output tokens per second.
        public var outputThroughput: Double { seconds > 0 ? outputTokenCount / seconds : 0 }
    }

    /// A long prompt that arrived among the others.
    public struct Injection: Hashable, Sendable {
        public var plan: PromptInjection
        /// As the server counts; nil when it did not tell.
        public var promptTokenCount: Int?
        /// In milliseconds, like the next.
        public var timeToFirstToken: Double?
        public var endToEndLatency: Double?
        public var failure: String?

        /// - Parameter record: nil when it was not sent.
        init(_ plan: PromptInjection, _ record: RequestRecord?) {
            self.plan = plan
            promptTokenCount = record?.promptTokenCount
            timeToFirstToken = record?.timeToFirstToken.map { Double($0) / 1e6 }
            endToEndLatency = record?.latency.map { Double($0) / 1e6 }
            failure =
                record == nil ? "not sent: the run was over before; send more or longer requests" : record?.failure
        }
    }

    public var plan: LoadPlan
    public var succeededCount: Int
    public var failedCount: Int
    /// How often each reason was given.
    public var failures: [String: Int]
    /// Requests whose client went away, as the plan says: neither succeeded nor failed.
    public var disconnectedCount: Int
    /// What those got until then; not in `outputTokenCount`.
    public var disconnectedOutputTokenCount: Int
    public var seconds: Double
    public var concurrencyPeak: Int
    /// Requests of an open loop that waited because `concurrencyMax` others ran.
    public var blockedCount = 0
    public var promptTokenCount: Int
    /// Of the prompts, in the server's prefix cache; nil when the server does not tell.
    public var cachedTokenCount: Int?
    public var outputTokenCount: Int
    public var timeToFirstToken: Latency
    /// Per request: the mean time of a token after the first.
    public var timePerOutputToken: Latency
    /// Between two chunks of output.
    public var interTokenLatency: Latency
    public var endToEndLatency: Latency
    /// From the moment a request of an open loop was due until it was sent; the other latencies contain it.
    public var sendDelay: Latency
    /// Times to the first token by the turn of a conversation; of plain requests, one.
    public var turns: [Latency]
    /// Those that took time, in order.
    public var phases: [Phase] = []
    public var injections: [Injection] = []
    /// What this program itself took of the machine.
    public var clientUsage: ProcessUsage?
    public var verification: Verification?
    /// Where they were asked for.
    public var answers: [ReferenceAnswer] = []
    /// The run ended early because nothing listened any more.
    public var wasServerGone = false

    public init(plan: LoadPlan, statistics: LoadStatistics, seconds: Double, concurrencyPeak: Int) {
        self.plan = plan
        self.seconds = seconds
        self.concurrencyPeak = concurrencyPeak
        succeededCount = statistics.succeededCount
        failedCount = statistics.failedCount
        failures = statistics.failures
        disconnectedCount = statistics.disconnectedCount
        disconnectedOutputTokenCount = statistics.disconnectedOutputTokenCount
        promptTokenCount = statistics.promptTokenCount
        cachedTokenCount = statistics.cachedTokenCount
        outputTokenCount = statistics.outputTokenCount
        timeToFirstToken = Latency(statistics.timeToFirstToken)
        timePerOutputToken = Latency(statistics.timePerOutputToken)
        interTokenLatency = Latency(statistics.interTokenLatency)
        endToEndLatency = Latency(statistics.endToEndLatency)
        sendDelay = Latency(statistics.sendDelay)
        turns = statistics.turns.map(Latency.init)
    }

    /// - Parameter nanoseconds: how long each phase of `LoadPhase.allCases` lasted.
    static func phases(_ statistics: LoadStatistics, nanoseconds: [UInt64]) -> [Phase] {
        zip(LoadPhase.allCases, zip(statistics.phases, nanoseconds)).compactMap { phase, measured in
            let (values, length) = measured
            guard length > 0 || values.outputTokenCount > 0 else { return nil }
            return Phase(
                phase: phase, seconds: Double(length) / 1e9, outputTokenCount: values.outputTokenCount,
                timeToFirstToken: Latency(values.timeToFirstToken),
                interTokenLatency: Latency(values.interTokenLatency))
        }
    }

    /// Whether all that was asked for went well.
    public var isSuccess: Bool {
        failedCount == 0 && succeededCount + disconnectedCount > 0 && !injections.contains { $0.failure != nil }
            && verification?.isClean ?? true && !wasServerGone
    }

    /// Requests that succeeded per second.
    public var requestThroughput: Double { perSecond(succeededCount) }
    /// Prompt tokens per second.
    public var promptThroughput: Double { perSecond(promptTokenCount) }
    /// Output tokens per second.
    public var outputThroughput: Double { perSecond(outputTokenCount) }
    /// Prompt and output tokens per second.
    public var totalThroughput: Double { perSecond(promptTokenCount + outputTokenCount) }

    /// This program's own time on the processor for each token that came, in microseconds.
    public var clientMicrosecondsPerToken: Double? {
        let count = outputTokenCount + disconnectedOutputTokenCount
        return count > 0 ? clientUsage.map { $0.cpuSeconds * 1e6 / Double(count) } : nil
    }

    private func perSecond(_ count: Int) -> Double { seconds > 0 ? Double(count) / seconds : 0 }
}
