import Tensors
import Testing
import shardline_bench

@Suite struct MeasuringTests {
    @Test func worksByName() {
        #expect(Work("decode")?.kind == .decode)
        #expect(Work("prompt512")?.count == 512)
        for name in ["load", "memory", "prompt256", "decode", "batch16", "context4096"] {
            #expect(Work(name)?.description == name)
        }
        for name in ["", "prompt", "prompt0", "prompt-1", "decode1", "batch1x", "sing"] { #expect(Work(name) == nil) }
        #expect(WorkList(argument: "decode,batch2")?.works.count == 2)
        #expect(WorkList(argument: "decode,,batch2") == nil)
    }

    @Test func smallStatistics() {
        #expect(Statistics.median([3, 1, 2]) == 2)
        #expect(Statistics.median([4, 1, 2, 3]) == 2.5)
        #expect(Statistics.median([]).isNaN)
        let hundred = (1...100).map(Double.init)
        #expect(Statistics.percentile(hundred.shuffled(), 0.99) == 99)
        #expect(Statistics.percentile([5], 0.99) == 5)
    }

    // MARK: Pairs

    private func sample(_ rate: Double) -> WorkSample {
        WorkSample(
            seconds: 1, tokenCount: Int(rate), stepCount: 1, readBytesPerSecond: 1, peakMultiplyAddsPerSecond: 1)
    }

    private func pair(_ ours: Double, _ theirs: Double, peaks: [Double] = [100, 100, 100]) -> PairSeries.Pair {
        PairSeries.Pair(ours: sample(ours), theirTokensPerSecond: theirs, peaks: peaks)
    }

    @Test func theMedianIsThatOfTheRatios() {
        var series = PairSeries(wantedCount: 3)
        for pair in [pair(10, 1), pair(30, 10), pair(40, 10)] {
            #expect(!series.isOver)
            series.add(pair)
        }
        #expect(series.isOver)
        #expect(series.median(\.ratio) == 4)
        #expect(series.ratioRange == (3, 10))
    }

    @Test func aPairWhosePeaksDifferIsRepeated() {
        var series = PairSeries(wantedCount: 1)
        series.add(pair(10, 1, peaks: [100, 89, 95]))
        #expect(series.pairs.isEmpty)
        #expect(series.repeatedCount == 1)
        #expect(!series.isOver)
        series.add(pair(10, 1, peaks: [100, 91, 95]))
        #expect(series.pairs.count == 1)
        #expect(series.isOver)
    }

    @Test func aNoisyMachineEndsTheSeries() {
        var series = PairSeries(wantedCount: 2)
        var attempts = 0
        while !series.isOver {
            series.add(pair(1, 1, peaks: [100, 50]))
            attempts += 1
        }
        #expect(attempts == 6)
        #expect(series.pairs.isEmpty)
        #expect(series.median(\.ratio).isNaN)
    }

    // MARK: The peer's output

    @Test func ratesAreReadFromThePeersOutput() throws {
        let bench =
            #"[ { "model_type": "llama 1B", "n_prompt": 256, "avg_ts": 164.808712, "samples_ts": [ 164.809 ] } ]"#
        #expect(try LlamaCpp.benchRate(bench) == 164.808712)
        let batched =
            "loading\n{\"pp\": 16, \"tg\": 16, \"pl\": 16, \"speed_pp\": 323.4, \"speed_tg\": 231.2}\n\nperf: 3\n"
        #expect(try LlamaCpp.batchedRate(batched) == 231.2)
    }

    @Test(arguments: ["", "[]", "{}", "[ { \"avg_ts\": 0 } ]", "error: no model\n"])
    func outputWithoutARateIsAnError(_ output: String) {
        #expect(throws: (any Error).self) { try LlamaCpp.benchRate(output) }
        #expect(throws: (any Error).self) { try LlamaCpp.batchedRate(output) }
    }

    // MARK: Errors of logits

    @Test func logitsAgainstThemselvesHaveNoError() throws {
        let errors = try errors(of: [[1, 2, 3], [3, 1, 0]], against: [[1, 2, 3], [3, 1, 0]])
        #expect(errors.logprobErrors == [0, 0])
        #expect(errors.sameTopShare == 1)
        #expect(errors.relativeError == 0)
    }

    @Test func aConstantAddedToAllLogitsIsNoError() throws {
        let errors = try errors(of: [[11, 12, 13]], against: [[1, 2, 3]])
        #expect(errors.logprobErrors[0] < 1e-5)
        #expect(errors.relativeError < 1e-6)
    }

    @Test func differencesAreMeasuredAtTheReferencesTopToken() throws {
        // Two equal logits: log-probabilities are log(1/2); against log(e/(e + 1)) of the second.
        let errors = try errors(of: [[0, 0]], against: [[0, 1]])
        #expect(abs(errors.logprobErrors[0] - 0.379885) < 1e-5)
        #expect(errors.sameTopShare == 0)
        #expect(abs(errors.relativeError - 1) < 1e-6)
    }

    @Test func logitsThatAreNotFiniteAreRefused() {
        #expect(throws: (any Error).self) { try errors(of: [[.nan, 0]], against: [[0, 1]]) }
    }

    private func errors(of model: [[Float]], against reference: [[Float]]) throws -> LogitErrors {
        let context = try ComputeContext(threadCount: 1)
        var errors = LogitErrors()
        for (own, wanted) in zip(model, reference) {
            try errors.add(model: own, reference: wanted, count: own.count, context: context)
        }
        return errors
    }
}
