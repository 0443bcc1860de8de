/// Makes the line that a serving process logs every 10 seconds: average throughput since the last line, what is
/// running and waiting, and how full the KV cache is.
///
/// After work ends there is one more line, which says so; then silence until there is work again.
public struct ThroughputLog: Sendable {
    /// Counters as they stand at one moment.
    public struct Sample: Sendable {
        /// Since the start of the process.
        public var promptTokenCount: UInt64
        /// Since the start of the process.
        public var generationTokenCount: UInt64
        public var runningRequestCount: Int
        public var waitingRequestCount: Int
        /// 0 to 1.
        public var kvCacheUse: Double
        /// 0 to 1; nil when there is no prefix cache.
        public var prefixCacheHitRate: Double?

        public init(
            promptTokenCount: UInt64, generationTokenCount: UInt64, runningRequestCount: Int,
            waitingRequestCount: Int, kvCacheUse: Double, prefixCacheHitRate: Double? = nil
        ) {
            self.promptTokenCount = promptTokenCount
            self.generationTokenCount = generationTokenCount
            self.runningRequestCount = runningRequestCount
            self.waitingRequestCount = waitingRequestCount
            self.kvCacheUse = kvCacheUse
            self.prefixCacheHitRate = prefixCacheHitRate
        }
    }

    private let intervalNanoseconds: UInt64
    private var last: (nanoseconds: UInt64, sample: Sample)?
    private var wasIdle = true

    public init(intervalSeconds: Double = 10) {
        intervalNanoseconds = UInt64(min(max(intervalSeconds, 0.001), 86_400) * 1e9)
    }

    /// The line to log, or nil when the interval is not over or nothing happened in it.
    /// - Parameter now: of a clock that only goes forward.
    public mutating func line(for sample: Sample, atNanoseconds now: UInt64) -> String? {
        guard let (lastNanoseconds, lastSample) = last else {
            last = (now, sample)
            return nil
        }
        guard now >= lastNanoseconds, now - lastNanoseconds >= intervalNanoseconds else { return nil }
        let seconds = Double(now - lastNanoseconds) / 1e9
        last = (now, sample)
        let promptRate = Self.rate(from: lastSample.promptTokenCount, to: sample.promptTokenCount, seconds: seconds)
        let generationRate = Self.rate(
            from: lastSample.generationTokenCount, to: sample.generationTokenCount, seconds: seconds)
        let isIdle =
            promptRate == 0 && generationRate == 0 && sample.runningRequestCount == 0
            && sample.waitingRequestCount == 0
        defer { wasIdle = isIdle }
        guard !(isIdle && wasIdle) else { return nil }
        return Self.text(promptRate: promptRate, generationRate: generationRate, sample: sample)
    }

    /// Logs a line every interval until the task is cancelled.
    public static func run(
        intervalSeconds: Double = 10, sample: @Sendable () async -> Sample, log: @Sendable (String) -> Void
    ) async {
        var throughput = ThroughputLog(intervalSeconds: intervalSeconds)
        let clock = ContinuousClock()
        let start = clock.now
        while !Task.isCancelled {
            let elapsed = (clock.now - start).components
            let nanoseconds = UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
            if let line = throughput.line(for: await sample(), atNanoseconds: nanoseconds) { log(line) }
            do { try await clock.sleep(for: .seconds(intervalSeconds)) } catch { return }
        }
    }

    /// A counter that went down belongs to a process that started again: counted from zero.
    private static func rate(from old: UInt64, to new: UInt64, seconds: Double) -> Double {
        Double(new >= old ? new - old : new) / seconds
    }

    private static func text(promptRate: Double, generationRate: Double, sample: Sample) -> String {
        var text = "prompt throughput \(FixedPoint.text(promptRate, fractionDigits: 1)) tokens/s, "
        text += "generation throughput \(FixedPoint.text(generationRate, fractionDigits: 1)) tokens/s, "
        text += "running \(sample.runningRequestCount), waiting \(sample.waitingRequestCount), "
        text += "KV cache use \(FixedPoint.text(sample.kvCacheUse * 100, fractionDigits: 1)) %"
        if let hitRate = sample.prefixCacheHitRate {
            text += ", prefix cache hit rate \(FixedPoint.text(hitRate * 100, fractionDigits: 1)) %"
        }
        return text
    }
}
