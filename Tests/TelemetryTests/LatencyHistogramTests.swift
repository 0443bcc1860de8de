import Telemetry
import Testing

@Suite struct LatencyHistogramTests {
    @Test func anEmptyOneHasNoValues() {
        let histogram = LatencyHistogram()
        #expect(histogram.count == 0)
        #expect(histogram.mean == nil)
        #expect(histogram.median == nil)
        #expect(histogram.percentile(99) == nil)
        #expect(histogram.maximum == nil)
    }

    @Test func agreesWithSortedValues() throws {
        var state: UInt64 = 42
        var values: [UInt64] = []
        var histogram = LatencyHistogram()
        for _ in 0..<5000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = (state >> 33) % (1 << (state >> 60 + 20))
            values.append(value)
            histogram.record(nanoseconds: value)
        }
        let sorted = values.sorted()
        #expect(histogram.count == 5000)
        let mean = Double(values.reduce(0, +)) / 5000
        #expect(abs(try #require(histogram.mean) - mean) < mean * 1e-9)
        for percent in [1.0, 50, 90, 99, 99.9] {
            let rank = Int((percent / 100 * 5000).rounded(.up)) - 1
            let expected = Double(sorted[rank])
            let found = try #require(histogram.percentile(percent))
            #expect(abs(found - expected) <= expected * 0.001 + 1, "\(percent)")
        }
        #expect(histogram.maximum == Double(sorted[4999]))
    }

    @Test func longTimesAreCountedAsADay() {
        var histogram = LatencyHistogram()
        histogram.record(nanoseconds: .max)
        histogram.record(nanoseconds: 0)
        #expect(histogram.count == 2)
        #expect(histogram.maximum == Double(LatencyHistogram.nanosecondsMax))
        #expect(histogram.percentile(0) == 0)
    }

    @Test func mergingAddsAll() {
        var left = LatencyHistogram()
        var right = LatencyHistogram()
        left.record(nanoseconds: 1000)
        right.record(nanoseconds: 3000)
        left.merge(right)
        #expect(left.count == 2)
        #expect(left.mean == 2000)
    }
}
