import Foundation
import LoadTest
import Testing

@Suite struct LoadStatisticsTests {
    private struct Generator {
        var state: UInt64 = 99
        mutating func next(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
    }

    private func records(_ count: Int) -> [RequestRecord] {
        var random = Generator()
        return (0..<count).map { _ in
            var record = RequestRecord(startNanoseconds: random.next(1_000_000_000))
            var time = record.startNanoseconds + 1_000_000 + random.next(500_000_000)
            for _ in 0...random.next(40) {
                record.outputNanoseconds.append(time)
                time += 1_000_000 + random.next(90_000_000)
            }
            record.promptTokenCount = Int(random.next(300))
            // Some servers send several tokens in one chunk.
            record.usageOutputTokenCount = record.outputNanoseconds.count + Int(random.next(3))
            return record
        }
    }

    private func check(_ latency: LoadReport.Latency, _ nanoseconds: [UInt64], _ name: Comment) throws {
        let sorted = nanoseconds.sorted().map { Double($0) / 1e6 }
        func rank(_ percent: Double) -> Double {
            sorted[Int((percent / 100 * Double(sorted.count)).rounded(.up)) - 1]
        }
        let mean = sorted.reduce(0, +) / Double(sorted.count)
        #expect(abs(try #require(latency.mean) - mean) < mean * 1e-6, name)
        #expect(abs(try #require(latency.median) - rank(50)) <= rank(50) * 0.001, name)
        #expect(abs(try #require(latency.p90) - rank(90)) <= rank(90) * 0.001, name)
        #expect(abs(try #require(latency.p99) - rank(99)) <= rank(99) * 0.001, name)
        #expect(abs(try #require(latency.max) - rank(100)) <= rank(100) * 0.001, name)
    }

    @Test func agreesWithANaiveComputation() throws {
        let records = records(500)
        var statistics = LoadStatistics()
        for record in records { statistics.add(record) }
        let report = LoadReport(
            plan: LoadPlan(model: "m"), statistics: statistics, seconds: 20, concurrencyPeak: 8)
        let outputCount = records.reduce(0) { $0 + ($1.usageOutputTokenCount ?? 0) }
        let promptCount = records.reduce(0) { $0 + ($1.promptTokenCount ?? 0) }
        #expect(report.succeededCount == 500)
        #expect(report.failedCount == 0)
        #expect(report.requestThroughput == 25)
        #expect(report.outputThroughput == Double(outputCount) / 20)
        #expect(report.totalThroughput == Double(outputCount + promptCount) / 20)

        try check(
            report.timeToFirstToken, records.map { $0.outputNanoseconds[0] - $0.startNanoseconds }, "TTFT")
        try check(
            report.endToEndLatency,
            records.map { $0.outputNanoseconds[$0.outputNanoseconds.count - 1] - $0.startNanoseconds }, "E2EL")
        var gaps: [UInt64] = []
        var perToken: [UInt64] = []
        for record in records {
            let times = record.outputNanoseconds
            for index in times.indices.dropFirst() { gaps.append(times[index] - times[index - 1]) }
            if record.outputTokenCount > 1 {
                perToken.append((times[times.count - 1] - times[0]) / UInt64(record.outputTokenCount - 1))
            }
        }
        try check(report.interTokenLatency, gaps, "ITL")
        try check(report.timePerOutputToken, perToken, "TPOT")
    }

    @Test func failuresAreCountedByReasonAndNothingElse() {
        var statistics = LoadStatistics()
        var failed = RequestRecord(startNanoseconds: 0)
        failed.outputNanoseconds = [5, 6]
        failed.promptTokenCount = 10
        for index in 0..<50 {
            failed.failure = index < 20 ? "the same" : "reason \(index)"
            statistics.add(failed)
        }
        #expect(statistics.succeededCount == 0)
        #expect(statistics.failedCount == 50)
        #expect(statistics.failures["the same"] == 20)
        #expect(statistics.failures["other reasons"] == 11)
        #expect(statistics.promptTokenCount == 0)
        let report = LoadReport(
            plan: LoadPlan(model: "m"), statistics: statistics, seconds: 1, concurrencyPeak: 1)
        #expect(report.timeToFirstToken.mean == nil)
    }

    @Test func aSingleTokenHasNoTimePerToken() {
        var record = RequestRecord(startNanoseconds: 10)
        #expect(record.latency == nil)
        record.outputNanoseconds = [30]
        #expect(record.timeToFirstToken == 20)
        #expect(record.latency == 20)
        #expect(record.timePerOutputToken == nil)
        #expect(record.interTokenLatencies.isEmpty)
        #expect(record.outputTokenCount == 1)
    }

    @Test func writesJSONWithTheFieldsOfVLLM() throws {
        var statistics = LoadStatistics()
        for record in records(3) { statistics.add(record) }
        var failed = RequestRecord(startNanoseconds: 0)
        failed.failure = "no \"luck\""
        statistics.add(failed)
        let report = LoadReport(
            plan: LoadPlan(model: "m", endpoint: .chat, requestCount: 4, concurrencyMax: 2), statistics: statistics,
            seconds: 2, concurrencyPeak: 2)
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(report.json().utf8)) as? [String: Any])
        #expect(json["model_id"] as? String == "m")
        #expect(json["endpoint"] as? String == "chat")
        #expect(json["num_prompts"] as? Int == 4)
        #expect(json["max_concurrency"] as? Int == 2)
        #expect(json["request_rate"] as? String == "inf")
        #expect(json["completed"] as? Int == 3)
        #expect(json["failed"] as? Int == 1)
        #expect(json["errors"] as? [String: Int] == ["no \"luck\"": 1])
        #expect(json["duration"] as? Double == 2)
        #expect(json["request_throughput"] as? Double == 1.5)
        for name in ["ttft", "tpot", "itl", "e2el"] {
            for kind in ["mean", "median", "p90", "p99", "max"] {
                #expect(json["\(kind)_\(name)_ms"] is Double, "\(kind) \(name)")
            }
        }
        let text = report.text()
        #expect(text.contains("Median TTFT (ms):"))
        #expect(text.contains("1 x no \"luck\""))
    }

    @Test func nothingMeasuredIsNoTrap() throws {
        let report = LoadReport(
            plan: LoadPlan(model: "m", arrivals: .poisson(perSecond: 2)), statistics: LoadStatistics(), seconds: 0,
            concurrencyPeak: 0)
        #expect(report.requestThroughput == 0)
        #expect(try report.json().contains("\"mean_ttft_ms\" : null"))
        #expect(report.text().contains("P99 ITL (ms):"))
    }
}
