import Foundation
import Orchestration
import Vocabulary

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

    init(runningCount: Int) {
        core = CoordinatorCore(
            settings: BenchmarkModel.settings(runningCount: runningCount), term: Self.term,
            models: [BenchmarkModel.profile], texts: [BenchmarkModel.name: BenchmarkModel.Text()])
        for index in 0..<2 {
            tell(.nodeRegistered(BenchmarkModel.node(Self.node(index), incarnation: Incarnation(1), port: 1)))
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
        let request = BenchmarkModel.request(number: nextRequest)
        let id = RequestID(nextRequest)
        nextRequest += 1
        tell(.requestArrived(id, request))
    }

    private mutating func finish(_ step: Step) {
        var result = BenchmarkModel.result(of: step)
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
