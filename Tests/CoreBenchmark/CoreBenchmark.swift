import Foundation
import Orchestration
import Vocabulary

/// What the coordinator's decisions cost: its core over two stages that answer at once, without sockets or arithmetic.
@main struct CoreBenchmark {
    static func main() {
        print("| running sequences | µs a token | µs a request of 32 tokens | requests a second |")
        print("| --- | --- | --- | --- |")
        for runningCount in [10, 32, 100, 320, 1_000] {
            var load = CoreLoad(runningCount: runningCount)
            load.run(tokenCount: 100_000)
            let before = load.totals
            load.run(tokenCount: 300_000)
            let tokenCount = Double(load.totals.tokenCount - before.tokenCount)
            let requestCount = Double(load.totals.requestCount - before.requestCount)
            let seconds = load.totals.seconds - before.seconds
            print(
                "| \(runningCount) | \(text(seconds / tokenCount * 1e6)) | \(text(seconds / requestCount * 1e6)) "
                    + "| \(Int(requestCount / seconds)) |")
        }
    }

    private static func text(_ value: Double) -> String { String(format: "%.2f", value) }
}

/// Requests of 32 tokens, so many at once; the next comes when one ends.
struct CoreLoad {
    struct Totals {
        var tokenCount = 0
        var requestCount = 0
        /// Inside of the core.
        var seconds = 0.0
    }

    private(set) var totals = Totals()
    private var core: CoordinatorCore
    private var steps: [Step] = []
    private var nextRequest: UInt64 = 1
    private var dueCount = 0
    private var now = Instant(nanoseconds: 1)
    private static let term = Term(1)
    private static let outputTokenCount = 32

    private struct Text: TokenText {
        func bytes(of token: TokenID) -> [UInt8] { [UInt8(ascii: "a") + UInt8(token % 26)] }
    }

    init(runningCount: Int) {
        let model = ModelProfile(
            name: "m", fingerprint: "f", layerCount: 2, hiddenSize: 64, vocabularySize: 32_000, contextLength: 4_096,
            embeddingBytes: 1_000, layerBytes: [1_000, 1_000], headBytes: 1_000, kvBytesPerPositionPerLayer: 4,
            endTokens: [0])
        var settings = CoordinatorSettings()
        settings.nodeCountMin = 2
        settings.runningSequenceCountMax = runningCount
        settings.stepRowCountMax = max(64, runningCount)
        settings.kvTokenCountMax = runningCount * 128
        core = CoordinatorCore(settings: settings, term: Self.term, models: [model], texts: ["m": Text()])
        for index in 0..<2 {
            tell(
                .nodeRegistered(
                    NodeDescription(
                        node: Self.node(index), incarnation: Incarnation(1), host: "host", port: 1, processID: 1,
                        threadCount: 1, coreCount: 1, numaNodeCount: 1, instructionSet: "none",
                        memoryLimitBytes: 1 << 40, readBytesPerSecond: 1e9, multiplyAddsPerSecond: 1e9, version: "")))
        }
        for index in 0..<2 { tell(.stagePrepared(Self.node(index), PipelineID(1), Epoch(1), Self.term)) }
        dueCount = runningCount
        totals = Totals()
    }

    private static func node(_ index: Int) -> NodeID { NodeID("node-\(index)") ?? .coordinator }

    mutating func run(tokenCount: Int) {
        let end = totals.tokenCount + tokenCount
        while totals.tokenCount < end {
            while dueCount > 0 {
                dueCount -= 1
                ask()
            }
            guard !steps.isEmpty else { preconditionFailure("nothing is in flight") }
            finish(steps.removeFirst())
        }
    }

    private mutating func ask() {
        let request = GenerationRequest(
            model: "m", prompt: (0..<40).map { TokenID((Int(nextRequest) * 31 + $0) % 32_000) },
            outputTokenCountMax: Self.outputTokenCount, ignoresEnd: true)
        let id = RequestID(nextRequest)
        nextRequest += 1
        tell(.requestArrived(id, request))
    }

    private mutating func finish(_ step: Step) {
        var result = StepResult(pipeline: step.pipeline, epoch: step.epoch, number: step.number, outputs: [])
        for rows in step.sequences where rows.samples {
            let position = rows.firstPosition + rows.tokens.count
            let token = TokenID((position * 7 + Int(rows.sequence.rawValue)) % 31_999 + 1)
            result.outputs.append(
                SequenceOutput(sequence: rows.sequence, sampled: TokenScore(token: token, position: position)))
        }
        let nanoseconds = UInt64(1_000_000 + 50_000 * step.rowCount)
        result.stageNanoseconds = [nanoseconds, nanoseconds]
        now = now + Instant.Span(nanoseconds: 2 * nanoseconds + 100_000)
        tell(.stepFinished(Self.node(1), result, Self.term))
    }

    /// The processor's time, so that a busy machine does not count.
    private static func threadNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private mutating func tell(_ event: CoordinatorEvent) {
        let start = Self.threadNanoseconds()
        let commands = core.handle(event, at: now)
        _ = core.nextDeadline
        totals.seconds += Double(Self.threadNanoseconds() - start) / 1e9
        for command in commands {
            switch command {
            case .run(_, let step): steps.append(step)
            case .emit(_, .output): totals.tokenCount += 1
            case .emit(_, .finished):
                totals.requestCount += 1
                dueCount += 1
            default: break
            }
        }
    }
}
