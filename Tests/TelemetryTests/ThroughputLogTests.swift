import Synchronization
import Telemetry
import Testing

@Suite struct ThroughputLogTests {
    private func sample(_ prompt: UInt64, _ generation: UInt64, running: Int = 0) -> ThroughputLog.Sample {
        ThroughputLog.Sample(
            promptTokenCount: prompt, generationTokenCount: generation, runningRequestCount: running,
            waitingRequestCount: 1, kvCacheUse: 0.125)
    }

    private func idle(_ prompt: UInt64, _ generation: UInt64) -> ThroughputLog.Sample {
        var sample = sample(prompt, generation)
        sample.waitingRequestCount = 0
        return sample
    }

    @Test func givesALineEveryTenSeconds() {
        var log = ThroughputLog()
        #expect(log.line(for: sample(0, 0), atNanoseconds: 5_000_000_000) == nil)
        #expect(log.line(for: sample(50, 10), atNanoseconds: 14_000_000_000) == nil)
        #expect(
            log.line(for: sample(1000, 55, running: 2), atNanoseconds: 15_000_000_000)
                == "prompt throughput 100.0 tokens/s, generation throughput 5.5 tokens/s, running 2, waiting 1, "
                + "KV cache use 12.5 %")
        var later = sample(1000, 75, running: 2)
        later.prefixCacheHitRate = 0.5
        #expect(
            log.line(for: later, atNanoseconds: 35_000_000_000)
                == "prompt throughput 0.0 tokens/s, generation throughput 1.0 tokens/s, running 2, waiting 1, "
                + "KV cache use 12.5 %, prefix cache hit rate 50.0 %")
    }

    @Test func isSilentWhileNothingHappens() {
        var log = ThroughputLog(intervalSeconds: 1)
        #expect(log.line(for: idle(0, 0), atNanoseconds: 0) == nil)
        #expect(log.line(for: idle(0, 0), atNanoseconds: 1_000_000_000) == nil)
        #expect(log.line(for: idle(8, 8), atNanoseconds: 2_000_000_000) != nil)
        #expect(log.line(for: idle(8, 8), atNanoseconds: 3_000_000_000) != nil)
        #expect(log.line(for: idle(8, 8), atNanoseconds: 4_000_000_000) == nil)
        #expect(log.line(for: idle(9, 9), atNanoseconds: 5_000_000_000) != nil)
    }

    @Test func countersThatStartAgainAreNoTrap() {
        var log = ThroughputLog(intervalSeconds: 1)
        #expect(log.line(for: sample(1000, 1000), atNanoseconds: 9_000_000_000) == nil)
        #expect(log.line(for: sample(10, 10), atNanoseconds: 3_000_000_000) == nil)
        let line = log.line(for: sample(10, 10), atNanoseconds: 10_000_000_000)
        #expect(line?.hasPrefix("prompt throughput 10.0 tokens/s") == true)
    }

    @Test func runEndsWithItsTask() async {
        let task = Task {
            await ThroughputLog.run(intervalSeconds: 0.01, sample: { self.sample(1, 1, running: 1) }, log: { _ in })
        }
        task.cancel()
        await task.value
    }

    @Test(arguments: [
        (1.25, 1, "1.3"), (0.999, 2, "1.00"), (-0.004, 2, "0.00"), (-1.5, 0, "-2"), (12.0, 3, "12.000"),
        (Double.nan, 2, "-"), (Double.infinity, 2, "inf"), (0.05, 3, "0.050"),
    ])
    func writesFixedPointNumbers(value: Double, digits: Int, text: String) {
        #expect(FixedPoint.text(value, fractionDigits: digits) == text)
    }
}
