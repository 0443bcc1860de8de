import Synchronization

/// Runs a plan against a target.
public struct LoadRunner: Sendable {
    /// How far a run is.
    public struct Progress: Hashable, Sendable {
        public var finishedCount: Int
        public var failedCount: Int
        public var runningCount: Int
        /// Nil: as many as the time allows.
        public var requestCount: Int?
    }

    private let plan: LoadPlan
    private let target: LoadTarget
    private let reference: ReferenceSet?
    private let recordsAnswers: Bool

    /// - Parameters:
    ///   - reference: answers are compared with these.
    ///   - recordsAnswers: the report has the answers, to be such a reference.
    public init(
        plan: LoadPlan, reference: ReferenceSet? = nil, recordsAnswers: Bool = false, target: @escaping LoadTarget
    ) {
        self.plan = plan
        self.reference = reference
        self.recordsAnswers = recordsAnswers
        self.target = target
    }

    /// Runs all requests and returns what was measured.
    /// - Parameters:
    ///   - shouldStop: asked before each request; once true, no more begin, and those that run are waited for.
    ///   - onProgress: called a few times a second.
    public func run(
        shouldStop: @escaping @Sendable () -> Bool = { false },
        onProgress: (@Sendable (Progress) -> Void)? = nil
    ) async -> LoadReport {
        let usageBefore = ProcessUsage.current()
        let collector = LoadCollector(plan: plan, reference: reference, recordsAnswers: recordsAnswers)
        let run = LoadRun(plan: plan, target: target, collector: collector, isStopAsked: shouldStop)
        let nanoseconds = await withTaskGroup(of: Void.self) { group in
            if let onProgress {
                group.addTask {
                    while !Task.isCancelled {
                        onProgress(collector.progress)
                        try? await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
            let nanoseconds = await run.all()
            group.cancelAll()
            return nanoseconds
        }
        onProgress?(collector.progress)
        var usage = ProcessUsage.current()
        usage.cpuSeconds -= usageBefore.cpuSeconds
        return collector.report(nanoseconds: nanoseconds, usage: usage, wasServerGone: collector.isServerGone)
    }
}
