import LoadTest
import Testing

@Suite struct ArrivalProcessTests {
    @Test func gapsAreExponential() {
        let plan = LoadPlan(model: "m", requestCount: 20_000, arrivals: .poisson(perSecond: 50), seed: 1)
        let times = Array(ArrivalProcess(plan: plan))
        #expect(times.count == 20_000)
        #expect(times[0] == 0)
        #expect(times == Array(ArrivalProcess(plan: plan)))
        let gaps = zip(times.dropFirst(), times).map { Double($0 - $1) / 1e9 }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(gaps.count)
        // Exponential: the mean and the standard deviation are both 1 / rate, and a part of e^-t is above t means.
        #expect(abs(mean - 0.02) < 0.001)
        #expect(abs(variance.squareRoot() - 0.02) < 0.001)
        for (bound, share) in [(0.02, 0.3679), (0.04, 0.1353), (0.06, 0.0498)] {
            #expect(abs(Double(gaps.count { $0 > bound }) / Double(gaps.count) - share) < 0.01)
        }
    }

    @Test func countsInEqualTimesArePoisson() {
        let plan = LoadPlan(model: "m", requestCount: 40_000, arrivals: .poisson(perSecond: 4), seed: 7)
        var counts: [UInt64: Int] = [:]
        let times = Array(ArrivalProcess(plan: plan))
        for time in times { counts[time / 1_000_000_000, default: 0] += 1 }
        let seconds = times[times.count - 1] / 1_000_000_000
        let perSecond = (0..<seconds).map { Double(counts[$0] ?? 0) }
        let mean = perSecond.reduce(0, +) / Double(perSecond.count)
        let variance = perSecond.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(perSecond.count)
        #expect(abs(mean - 4) < 0.1)
        #expect(abs(variance - 4) < 0.25)
    }

    @Test func otherSeedsAreOtherTimes() {
        let plan = LoadPlan(model: "m", requestCount: 5, arrivals: .poisson(perSecond: 4), seed: 7)
        var other = plan
        other.seed = 8
        #expect(Array(ArrivalProcess(plan: plan)) != Array(ArrivalProcess(plan: other)))
    }

    @Test func aClosedLoopIsDueAtOnce() {
        #expect(Array(ArrivalProcess(plan: LoadPlan(model: "m", requestCount: 3))) == [0, 0, 0])
    }

    @Test func theTimeEndsAnOpenLoop() {
        var plan = LoadPlan(model: "m", requestCount: nil, arrivals: .poisson(perSecond: 1000), seed: 2)
        plan.durationNanoseconds = 2_000_000_000
        let times = Array(ArrivalProcess(plan: plan))
        #expect((1800...2200).contains(times.count))
        #expect(times.allSatisfy { $0 < 2_000_000_000 })
    }

    @Test func aTraceIsReplayedAndScaled() {
        var plan = LoadPlan(model: "m", requestCount: nil, arrivals: .trace)
        plan.trace = [0, 1_000_000, 1_000_000, 5_000_000].map {
            TraceRow(arrivalNanoseconds: $0, promptTokenCount: 1, outputTokenCount: 1)
        }
        #expect(Array(ArrivalProcess(plan: plan)) == [0, 1_000_000, 1_000_000, 5_000_000])
        plan.timeScale = 0.5
        #expect(Array(ArrivalProcess(plan: plan)) == [0, 500_000, 500_000, 2_500_000])
        plan.timeScale = 1e6
        plan.requestCount = 2
        #expect(Array(ArrivalProcess(plan: plan)) == [0, 1_000_000_000_000])
        plan.requestCount = 9
        #expect(Array(ArrivalProcess(plan: plan)).count == 4)
        // Lengths of a trace at a rate of one's own: the trace's rows are all there is.
        plan.arrivals = .poisson(perSecond: 10)
        #expect(Array(ArrivalProcess(plan: plan)).count == 4)
    }
}
