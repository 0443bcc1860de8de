import Foundation
import LoadTest
import Synchronization
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(1))) struct LoadPhaseTests {
    private func phase(_ report: LoadReport, _ phase: LoadPhase) throws -> LoadReport.Phase {
        try #require(report.phases.first { $0.phase == phase })
    }

    private func record(_ times: [UInt64]) -> RequestRecord {
        var record = RequestRecord(startNanoseconds: 0)
        record.outputNanoseconds = times.map { $0 * 1_000_000 }
        return record
    }

    private func timeline() -> PhaseTimeline {
        var timeline = PhaseTimeline(warmUpEnd: 100_000_000, injectionCount: 2)
        timeline.beginInjection(1, at: 500_000_000)
        timeline.endInjection(1, at: 700_000_000)
        timeline.endInjection(1, at: 900_000_000)
        timeline.drainStart = 1_000_000_000
        return timeline
    }

    /// A wait that overlaps the injected prompt's time is its own, wherever it ends.
    @Test func aStallBelongsToTheInjectedPrompt() {
        var statistics = LoadStatistics()
        statistics.add(
            record([50, 90, 120, 140, 480, 720, 750, 990, 1010, 1050]), timeline: timeline())
        statistics.add(record([505, 520, 710, 715]), timeline: timeline())
        func longest(_ phase: LoadPhase) -> Double? { statistics.phases[phase.rawValue].interTokenLatency.maximum }
        func counts(_ phase: LoadPhase) -> Int { statistics.phases[phase.rawValue].interTokenLatency.count }
        #expect(LoadPhase.allCases.map(counts) == [1, 3, 3, 3, 2])
        let longestMilliseconds = LoadPhase.allCases.map { ((longest($0) ?? 0) / 1e6).rounded() }
        #expect(longestMilliseconds == [40, 340, 240, 240, 40])
        // Each token counts where it came.
        #expect(statistics.phases.map(\.outputTokenCount) == [2, 3, 2, 5, 2])
        // The second request waited for its first token while the prompt was processed.
        #expect(statistics.phases.map(\.timeToFirstToken.count) == [1, 0, 1, 0, 0])
    }

    @Test func phasesCoverTheRun() {
        let lengths = timeline().nanoseconds(runEnd: 1_200_000_000)
        #expect(lengths.map { $0 / 1_000_000 } == [100, 400, 200, 300, 200])
        var open = PhaseTimeline(warmUpEnd: nil, injectionCount: 1)
        open.beginInjection(0, at: 30)
        #expect(open.nanoseconds(runEnd: 100) == [30, 0, 70, 0, 0])
        #expect(open.phase(from: 20, to: 31) == .injection)
        #expect(open.phase(from: 20, to: 30) == .warmUp)
        #expect(PhaseTimeline(warmUpEnd: 500, injectionCount: 0).nanoseconds(runEnd: 100) == [100, 0, 0, 0, 0])
        #expect(PhaseTimeline(warmUpEnd: 0, injectionCount: 0).nanoseconds(runEnd: 0) == [0, 0, 0, 0, 0])
    }

    @Test func anInjectedPromptIsMeasuredApart() async throws {
        // 0: before, 1: while, 2: after the injected prompt.
        let stage = Atomic<Int>(0)
        let warmCount = Atomic<Int>(0)
        var plan = LoadPlan(model: "m", requestCount: 3, concurrencyMax: 3, outputTokenCount: 60)
        plan.injections = [PromptInjection(promptTokenCount: 500, momentNanoseconds: 150_000_000)]
        let runner = LoadRunner(plan: plan) { request, tell in
            if request.kind == .injected {
                #expect(request.shape.promptTokenCount == 500)
                while warmCount.load(ordering: .sequentiallyConsistent) < 3 {
                    try await Task.sleep(for: .milliseconds(5))
                }
                stage.store(1, ordering: .sequentiallyConsistent)
                try await Task.sleep(for: .milliseconds(300))
                try tell(.output(text: "long"))
                stage.store(2, ordering: .sequentiallyConsistent)
                try tell(.usage(promptTokenCount: 503, outputTokenCount: 1))
                return
            }
            var count = 0
            var afterCount = 0
            while afterCount < 5 {
                repeat {
                    try await Task.sleep(for: .milliseconds(5))
                } while stage.load(ordering: .sequentiallyConsistent) == 1
                try tell(.output(text: "x"))
                count += 1
                if count == 1 { warmCount.add(1, ordering: .sequentiallyConsistent) }
                if stage.load(ordering: .sequentiallyConsistent) == 2 { afterCount += 1 }
            }
            try tell(.usage(promptTokenCount: 128, outputTokenCount: count))
        }
        let report = await runner.run()
        #expect(report.isSuccess)
        // The injected request is in no other number.
        #expect(report.succeededCount == 3)
        #expect(report.promptTokenCount == 384)
        #expect(report.concurrencyPeak == 3)
        let injection = try #require(report.injections.first)
        #expect(injection.promptTokenCount == 503)
        #expect(injection.timeToFirstToken ?? 0 >= 290)
        #expect(try phase(report, .injection).seconds >= 0.29)
        #expect(try phase(report, .afterInjection).outputTokenCount > 0)
        let total = report.phases.reduce(0) { $0 + $1.outputTokenCount }
        #expect(abs(total - Double(report.outputTokenCount)) < 0.001)
        #expect(abs(report.phases.reduce(0) { $0 + $1.seconds } - report.seconds) < 0.001)
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(report.json().utf8)) as? [String: Any])
        let names = (json["phases"] as? [[String: Any]])?.compactMap { $0["phase"] as? String }
        #expect(names == report.phases.map(\.phase.name))
        #expect((json["injections"] as? [[String: Any]])?.first?["ttft_ms"] is Double)
        #expect(report.text().contains("Injected prompt 500@0.15s"))
    }

    @Test func anInjectionAfterTheEndIsAFailure() async {
        var plan = LoadPlan(model: "m", requestCount: 2)
        plan.injections = [PromptInjection(promptTokenCount: 5, momentNanoseconds: 3_600_000_000_000)]
        let report = await LoadRunner(plan: plan) { _, tell in try tell(.output(text: "x")) }.run()
        #expect(report.succeededCount == 2)
        #expect(report.injections.first?.failure?.contains("not sent") == true)
        #expect(!report.isSuccess)
    }

    /// All streams have a token before "steady" begins, and none has ended before "drain" does.
    @Test func steadyIsWhileAllStreamsRun() async throws {
        let warmCount = Atomic<Int>(0)
        let plan = LoadPlan(model: "m", requestCount: 4, concurrencyMax: 4)
        let report = await LoadRunner(plan: plan) { request, tell in
            try await Task.sleep(for: .milliseconds(20 * request.index))
            try tell(.output(text: "x"))
            warmCount.add(1, ordering: .sequentiallyConsistent)
            while warmCount.load(ordering: .sequentiallyConsistent) < 4 {
                try await Task.sleep(for: .milliseconds(2))
            }
            // The last ends after all others: its last tokens are the drain's.
            for count in 0..<20 {
                if request.index == 3, count == 10 { try await Task.sleep(for: .milliseconds(300)) }
                try tell(.output(text: "x"))
            }
        }.run()
        #expect(report.phases.map(\.phase) == [.warmUp, .steady, .drain])
        #expect(try phase(report, .warmUp).seconds >= 0.06)
        #expect(try phase(report, .drain).outputTokenCount >= 1)
        #expect(abs(report.phases.reduce(0) { $0 + $1.outputTokenCount } - 84) < 0.001)
    }
}
