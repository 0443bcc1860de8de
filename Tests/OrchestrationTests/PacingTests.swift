import Orchestration
import Testing
import Vocabulary

/// What the batching does to waits, over stages whose times are known.
@Suite struct PacingTests {
    private static func stage(_ factor: Double = 1) -> TimedPipeline.Stage {
        TimedPipeline.Stage(
            fixedSeconds: 0.004 * factor, secondsPerPromptRow: 0.0004 * factor, secondsPerDecodeRow: 0.0005 * factor)
    }

    private static func percentile99(_ sorted: [Double]) -> Double {
        sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
    }

    /// A long prompt among decoding streams: these wait at most twice as long for a token, and the prompt has its
    /// half of the time.
    @Test(arguments: [[1.0], [1, 1], [1, 1, 1], [1, 2], [2, 1, 1, 0.5]])
    func decodingGoesOnBesideALongPrompt(_ factors: [Double]) throws {
        for streamCount in [1, 4, 15] {
            var pipeline = TimedPipeline(factors.map(Self.stage), hopSeconds: 0.0001)
            let streams = (0..<streamCount).map { _ in pipeline.ask(prompt: 30, output: 4_000) }
            pipeline.advance(to: 4)
            let before = Self.percentile99(pipeline.gaps(of: streams, in: 2...4))
            let long = pipeline.ask(prompt: 4_096, output: 2)
            var end = 4.0
            while pipeline.tokenTimes[long] == nil, end < 60 {
                end += 1
                pipeline.advance(to: end)
            }
            let first = try #require(pipeline.tokenTimes[long]?.first)
            let beside = Self.percentile99(pipeline.gaps(of: streams, in: 4...first))
            #expect(beside <= 2 * before, "\(factors), \(streamCount): \(before) s, then \(beside) s")
            // Alone it would have all of the slowest stage.
            let slowest = factors.max() ?? 1
            let alone = 4_096 * 0.0004 * slowest + 64 * 0.004 * slowest
            #expect(first - 4 <= 3.3 * alone, "\(factors), \(streamCount): \(first - 4) s, alone \(alone) s")
        }
    }

    @Test func everyStageIsAtWork() {
        for factors in [[1.0], [1, 1], [1, 1, 1, 1]] {
            var pipeline = TimedPipeline(factors.map(Self.stage), hopSeconds: 0.0001)
            for _ in 0..<32 { _ = pipeline.ask(prompt: 8, output: 4_000) }
            pipeline.advance(to: 2)
            let busy = pipeline.stages.map(\.busySeconds)
            pipeline.advance(to: 6)
            for (index, stage) in pipeline.stages.enumerated() {
                #expect((stage.busySeconds - busy[index]) / 4 > 0.95, "stage \(index) of \(factors.count)")
            }
        }
    }

    /// Where one stage is slow, few large steps are better than one a stage.
    @Test func stepsAreAsManyAsTheTimesAskFor() {
        func rate(_ factors: [Double]) -> Int {
            var pipeline = TimedPipeline(factors.map(Self.stage), hopSeconds: 0.0001)
            let streams = (0..<12).map { _ in pipeline.ask(prompt: 8, output: 4_000) }
            pipeline.advance(to: 6)
            return pipeline.gaps(of: streams, in: 2...6).count
        }
        // Dealt out over four steps, the slow stage would need 4 x 4 + 12 x 0.5 ms for a round.
        let dealtOut = Int(4 / 0.022 * 12)
        #expect(rate([1, 0.1, 0.1, 0.1]) > dealtOut * 5 / 4)
        // Travel that takes long is hidden behind more steps.
        var times = PipelineTimes(stageCount: 2)
        for count in 1...20 {
            let seconds = 0.001 + 0.0005 * Double(count)
            times.add(
                promptRowCount: 0, decodeRowCount: count, stageSeconds: [seconds, seconds],
                waitedSeconds: 0, elapsedSeconds: 2 * seconds + 0.01)
        }
        #expect(times.decodeStepCount(decodeRowCount: 32) == 3)
    }

    @Test func timesAreFoundFromSteps() {
        var times = StageTimes()
        for count in 0..<200 {
            let (prompt, decode) = (count % 7 * 5, count % 3 * 4)
            times.add(
                promptRowCount: prompt, decodeRowCount: decode,
                seconds: 0.01 + 0.001 * Double(prompt) + 0.002 * Double(decode))
        }
        #expect(abs(times.seconds(promptRowCount: 20, decodeRowCount: 10) - 0.05) < 0.002)
        // They follow a machine that becomes slower.
        for count in 0..<200 {
            times.add(
                promptRowCount: count % 7 * 5, decodeRowCount: 8, seconds: 0.05 + 0.002 * Double(count % 7 * 5))
        }
        #expect(abs(times.seconds(promptRowCount: 20, decodeRowCount: 8) - 0.09) < 0.005)
    }

    @Test func aShortPromptDoesNotWaitBehindALongOne() throws {
        var pipeline = TimedPipeline([Self.stage(), Self.stage()], hopSeconds: 0.0001)
        let long = pipeline.ask(prompt: 6_000, output: 2)
        let short = pipeline.ask(prompt: 100, output: 2)
        pipeline.advance(to: 60)
        let first = try #require(pipeline.tokenTimes[short]?.first)
        let last = try #require(pipeline.tokenTimes[long]?.first)
        #expect(first < last / 10)
    }

    @Test func lyingNodesAreNotBelieved() {
        var times = PipelineTimes(stageCount: 1)
        for _ in 0..<20 {
            times.add(promptRowCount: 1, decodeRowCount: 1, stageSeconds: [5], waitedSeconds: 0, elapsedSeconds: 0.01)
            times.add(promptRowCount: 1, decodeRowCount: 1, stageSeconds: [0.001, 0.001],
                waitedSeconds: 0, elapsedSeconds: 0.01)
        }
        #expect(!times.isKnown)
    }
}
