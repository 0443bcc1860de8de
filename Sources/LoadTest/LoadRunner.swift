import Synchronization

/// Runs a plan against a target.
public struct LoadRunner: Sendable {
    /// How far a run is.
    public struct Progress: Hashable, Sendable {
        public var finishedCount: Int
        public var failedCount: Int
        public var requestCount: Int
    }

    private let plan: LoadPlan
    private let target: LoadTarget

    public init(plan: LoadPlan, target: @escaping LoadTarget) {
        self.plan = plan
        self.target = target
    }

    /// Runs all requests and returns what was measured.
    /// - Parameters:
    ///   - shouldStop: asked before each request; once true, no more begin, and those that run are waited for.
    ///   - onProgress: called after each request.
    public func run(
        shouldStop: @Sendable () -> Bool = { false }, onProgress: (Progress) -> Void = { _ in }
    ) async -> LoadReport {
        let stopwatch = Stopwatch()
        let arrivals = plan.arrivalNanoseconds()
        var statistics = LoadStatistics()
        var runningCount = 0
        var concurrencyPeak = 0
        await withTaskGroup(of: RequestRecord.self) { group in
            func collectOne() async {
                guard let record = await group.next() else { return }
                runningCount -= 1
                statistics.add(record)
                let finished = statistics.succeededCount + statistics.failedCount
                onProgress(
                    Progress(
                        finishedCount: finished, failedCount: statistics.failedCount, requestCount: plan.requestCount))
            }
            for (index, arrival) in arrivals.enumerated() {
                await stopwatch.wait(until: arrival, unless: shouldStop)
                if let limit = plan.concurrencyMax, runningCount >= limit { await collectOne() }
                guard !shouldStop(), !Task.isCancelled else { break }
                group.addTask { await measure(LoadRequest(index: index, plan: plan), stopwatch: stopwatch) }
                runningCount += 1
                concurrencyPeak = max(concurrencyPeak, runningCount)
            }
            while runningCount > 0 { await collectOne() }
        }
        return LoadReport(
            plan: plan, statistics: statistics, seconds: Double(stopwatch.nanoseconds) / 1e9,
            concurrencyPeak: concurrencyPeak)
    }

    private func measure(_ request: LoadRequest, stopwatch: Stopwatch) async -> RequestRecord {
        var record = RequestRecord(startNanoseconds: stopwatch.nanoseconds)
        do {
            try await target(request) { event in
                switch event {
                case .output: record.outputNanoseconds.append(stopwatch.nanoseconds)
                case .usage(let promptTokenCount, let outputTokenCount):
                    record.promptTokenCount = promptTokenCount
                    record.usageOutputTokenCount = outputTokenCount
                }
            }
            if record.outputNanoseconds.isEmpty { record.failure = "the answer has no output" }
        } catch is CancellationError {
            record.failure = "cancelled"
        } catch {
            record.failure = "\(error)"
        }
        return record
    }
}

/// Nanoseconds since it was made.
private struct Stopwatch: Sendable {
    private let start = ContinuousClock.now

    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    /// Looks at `shouldStop` every 50 ms.
    func wait(until moment: UInt64, unless shouldStop: () -> Bool) async {
        while !shouldStop() {
            let now = nanoseconds
            guard now < moment else { return }
            let next = start + .nanoseconds(Int64(min(moment, now + 50_000_000)))
            do { try await ContinuousClock().sleep(until: next) } catch { return }
        }
    }
}
