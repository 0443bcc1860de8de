import OpenAIClient
import Synchronization

/// Where the requests of a run, which run at the same time, report what they measured.
final class LoadCollector: Sendable {
    fileprivate struct State {
        var statistics: LoadStatistics
        var timeline: PhaseTimeline
        /// Requests, or conversations, that were begun and have not ended.
        var streamCount = 0
        var runningCount = 0
        var concurrencyPeak = 0
        /// Requests of the first wave that have not yet got a token; nil: the warm-up is none of theirs.
        var coldCount: Int?
        var blockedCount = 0
        var isExhausted = false
        var unreachableStreak = 0
        var injections: [RequestRecord?]
        var answers: [ReferenceAnswer] = []
        var verification: Verification?
    }

    /// So many requests in a row that found no server end the run.
    static let unreachableStreakMax = 100

    private let plan: LoadPlan
    private let reference: ReferenceSet?
    private let recordsAnswers: Bool
    private let state: Mutex<State>

    init(plan: LoadPlan, reference: ReferenceSet?, recordsAnswers: Bool) {
        self.plan = plan
        self.reference = reference
        self.recordsAnswers = recordsAnswers
        var warmUpEnd = plan.warmUpNanoseconds
        var coldCount: Int?
        if warmUpEnd == nil, plan.isOpenLoop || plan.staticBatchSize != nil { warmUpEnd = 0 }
        if warmUpEnd == nil { coldCount = min(plan.concurrencyMax ?? .max, plan.requestCountMax ?? .max) }
        state = Mutex(
            State(
                statistics: LoadStatistics(turnCount: plan.conversation?.turnCount ?? 1),
                timeline: PhaseTimeline(warmUpEnd: warmUpEnd, injectionCount: plan.injections.count),
                coldCount: coldCount, injections: [RequestRecord?](repeating: nil, count: plan.injections.count),
                verification: reference == nil ? nil : Verification()))
    }

    /// Whether somebody needs the texts of answers.
    var keepsText: Bool { reference != nil || recordsAnswers || plan.conversation != nil }
    /// Whether a server that is not there ends the run.
    var isServerGone: Bool { state.withLock { $0.unreachableStreak >= Self.unreachableStreakMax } }
    /// Whether all requests but injected ones were sent and have ended.
    var isOver: Bool { state.withLock { $0.isExhausted && $0.streamCount == 0 } }

    // MARK: - Events

    func noteSent(_ request: LoadRequest, at moment: UInt64) {
        state.withLock { state in
            if request.kind == .injected { return state.timeline.beginInjection(request.index, at: moment) }
            state.runningCount += 1
            state.concurrencyPeak = max(state.concurrencyPeak, state.runningCount)
        }
    }

    func noteFirstToken(_ request: LoadRequest, at moment: UInt64) {
        state.withLock { state in
            if request.kind == .injected { return state.timeline.endInjection(request.index, at: moment) }
            state.noteWarm(at: moment)
        }
    }

    /// Another request waited for a free connection.
    func noteBlocked() { state.withLock { $0.blockedCount += 1 } }

    func noteStreamBegin() { state.withLock { $0.streamCount += 1 } }

    /// No request follows those that were sent.
    func noteExhausted(at moment: UInt64) {
        state.withLock { state in
            state.isExhausted = true
            if plan.isOpenLoop, plan.staticBatchSize == nil { state.timeline.drainStart = moment }
        }
    }

    /// A stream has ended; when none takes its place, the drain begins.
    func noteStreamEnd(at moment: UInt64) {
        state.withLock { state in
            state.streamCount -= 1
            guard state.isExhausted, state.timeline.drainStart == nil, plan.staticBatchSize == nil else { return }
            state.timeline.drainStart = moment
        }
    }

    /// - Returns: whether the answer is, as far as anybody asks, the expected one.
    func noteEnd(
        _ request: LoadRequest, _ record: RequestRecord, error: (any Error)?, at moment: UInt64
    ) -> Bool {
        // Costly, so not under the lock.
        let fingerprint = reference != nil || recordsAnswers ? request.fingerprint : ""
        return state.withLock { state in
            if request.kind == .injected {
                state.timeline.endInjection(request.index, at: moment)
                state.injections[request.index] = record
                return true
            }
            if record.outputNanoseconds.isEmpty { state.noteWarm(at: moment) }
            state.runningCount -= 1
            let isUnreachable = (error as? OpenAIError)?.kind == .unreachable
            state.unreachableStreak = isUnreachable ? state.unreachableStreak + 1 : 0
            state.statistics.add(record, timeline: state.timeline)
            guard record.failure == nil else { return false }
            if recordsAnswers {
                state.answers.append(
                    ReferenceAnswer(
                        request: record.name, fingerprint: fingerprint, text: record.text,
                        finishReason: record.finishReason, outputTokenCount: record.usageOutputTokenCount))
            }
            guard let reference else { return true }
            return state.verification?.add(record, fingerprint: fingerprint, reference: reference) ?? true
        }
    }

    // MARK: - Results

    var progress: LoadRunner.Progress {
        state.withLock { state in
            let statistics = state.statistics
            return LoadRunner.Progress(
                finishedCount: statistics.succeededCount + statistics.disconnectedCount + statistics.failedCount,
                failedCount: statistics.failedCount, runningCount: state.runningCount,
                requestCount: plan.requestCountMax)
        }
    }

    func report(nanoseconds: UInt64, usage: ProcessUsage, wasServerGone: Bool) -> LoadReport {
        state.withLock { state in
            var report = LoadReport(
                plan: plan, statistics: state.statistics, seconds: Double(nanoseconds) / 1e9,
                concurrencyPeak: state.concurrencyPeak)
            report.phases = LoadReport.phases(
                state.statistics, nanoseconds: state.timeline.nanoseconds(runEnd: nanoseconds))
            report.blockedCount = state.blockedCount
            report.injections = zip(plan.injections, state.injections).map(LoadReport.Injection.init)
            report.clientUsage = usage
            report.verification = state.verification
            report.answers = state.answers
            report.wasServerGone = wasServerGone
            return report
        }
    }
}

extension LoadCollector.State {
    /// One more of the first wave is warm, or will never be.
    fileprivate mutating func noteWarm(at moment: UInt64) {
        guard let count = coldCount else { return }
        coldCount = count > 1 ? count - 1 : nil
        if count <= 1 { timeline.warmUpEnd = moment }
    }
}
