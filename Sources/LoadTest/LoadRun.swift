/// One run of a plan: sends requests when they are due.
struct LoadRun: Sendable {
    /// A client that leaves before its first token waits at most so long.
    private static let patienceMillisecondsMax = 200

    private struct ClientGone: Error {}

    let plan: LoadPlan
    let target: LoadTarget
    let collector: LoadCollector
    let isStopAsked: @Sendable () -> Bool
    private let stopwatch = Stopwatch()
    private let gate: ConnectionGate

    init(
        plan: LoadPlan, target: @escaping LoadTarget, collector: LoadCollector,
        isStopAsked: @escaping @Sendable () -> Bool
    ) {
        self.plan = plan
        self.target = target
        self.collector = collector
        self.isStopAsked = isStopAsked
        gate = ConnectionGate(limit: plan.concurrencyMax)
    }

    /// Returns when the last request has ended: how long it took, in nanoseconds.
    func all() async -> UInt64 {
        await withDiscardingTaskGroup { group in
            for index in plan.injections.indices { group.addTask { await inject(index) } }
            if let size = plan.staticBatchSize {
                await sendBatches(of: size)
            } else {
                await send(in: &group)
            }
            collector.noteExhausted(at: stopwatch.nanoseconds)
        }
        return stopwatch.nanoseconds
    }

    private func isStopped() -> Bool {
        if let end = plan.durationNanoseconds, stopwatch.nanoseconds >= end { return true }
        return isStopAsked() || Task.isCancelled || collector.isServerGone
    }

    // MARK: - When

    private func send(in group: inout DiscardingTaskGroup) async {
        for (index, arrival) in ArrivalProcess(plan: plan).enumerated() {
            await stopwatch.wait(until: arrival, unless: isStopped)
            guard !isStopped() else { return }
            if await gate.enter(), plan.isOpenLoop { collector.noteBlocked() }
            // In an open loop, what was due before the end is sent, however late.
            guard !isStopped() || (plan.isOpenLoop && !isStopAsked() && !collector.isServerGone) else {
                return gate.leave()
            }
            collector.noteStreamBegin()
            group.addTask {
                await runStream(index, due: plan.isOpenLoop ? arrival : nil)
                collector.noteStreamEnd(at: stopwatch.nanoseconds)
                gate.leave()
            }
        }
    }

    private func sendBatches(of size: Int) async {
        var arrivals = ArrivalProcess(plan: plan)
        var index = 0
        var pending = arrivals.next()
        while let first = pending {
            await stopwatch.wait(until: first, unless: isStopped)
            guard !isStopped() else { return }
            await withDiscardingTaskGroup { group in
                let now = stopwatch.nanoseconds
                var count = 0
                while count < size, let arrival = pending, arrival <= now || count == 0 {
                    let due = plan.isOpenLoop ? arrival : nil
                    group.addTask { [index] in await runStream(index, due: due) }
                    index += 1
                    count += 1
                    pending = arrivals.next()
                }
            }
        }
    }

    private func inject(_ index: Int) async {
        let request = LoadRequest(injection: index, plan: plan)
        let due = plan.injections[index].momentNanoseconds
        // Streams that have all ended leave nothing to arrive among.
        await stopwatch.wait(until: due, unless: { isStopAsked() || collector.isServerGone || collector.isOver })
        guard stopwatch.nanoseconds >= due else { return }
        let (record, error) = await measure(request, due: due)
        _ = collector.noteEnd(request, record, error: error, at: stopwatch.nanoseconds)
    }

    // MARK: - What

    /// A request, or all turns of a conversation.
    /// - Parameter due: nil: now.
    private func runStream(_ index: Int, due: UInt64?) async {
        var request = LoadRequest(index: index, plan: plan)
        var due = due
        while true {
            let (record, error) = await measureUntilGone(request, due: due)
            let isExpected = collector.noteEnd(request, record, error: error, at: stopwatch.nanoseconds)
            guard let conversation = plan.conversation, request.turn + 1 < conversation.turnCount, isExpected,
                !record.isDisconnected
            else { return }
            let moment =
                stopwatch.nanoseconds + plan.thinkNanoseconds(ofRequest: index, turn: request.turn + 1)
            await stopwatch.wait(until: moment, unless: isStopped)
            guard !isStopped() else { return }
            due = moment
            request = request.following(answer: record.text)
        }
    }

    /// Lets a client leave that does not even wait for its first token.
    private func measureUntilGone(
        _ request: LoadRequest, due: UInt64?
    ) async -> (RequestRecord, (any Error)?) {
        guard request.shape.disconnectOutputCount == 0 else { return await measure(request, due: due) }
        var random = RandomStream.thinking(request: request.index, turn: 0).generator(seed: plan.seed)
        let patience = random.below(Self.patienceMillisecondsMax)
        let task = Task { await measure(request, due: due) }
        return await withTaskCancellationHandler {
            try? await Task.sleep(for: .milliseconds(patience))
            task.cancel()
            return await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func measure(_ request: LoadRequest, due: UInt64?) async -> (RequestRecord, (any Error)?) {
        let now = stopwatch.nanoseconds
        var begun = RequestRecord(startNanoseconds: due ?? now)
        begun.sendNanoseconds = max(now, due ?? 0)
        begun.name = request.name
        begun.turn = request.turn
        let record = SharedRecord(begun)
        collector.noteSent(request, at: now)
        var failure: (any Error)?
        do {
            try await target(request) { event in try take(event, of: request, into: record) }
        } catch {
            failure = error
        }
        var ended = record.value
        switch failure {
        case nil: if ended.outputNanoseconds.isEmpty { ended.failure = "the answer has no output" }
        case is ClientGone: ended.isDisconnected = true
        case _ where request.shape.disconnectOutputCount == 0 && Task.isCancelled: ended.isDisconnected = true
        case is CancellationError: ended.failure = "cancelled"
        case let error?: ended.failure = "\(error)"
        }
        return (ended, failure)
    }

    /// Runs on the connection's thread.
    private func take(_ event: LoadEvent, of request: LoadRequest, into record: SharedRecord) throws {
        let now = stopwatch.nanoseconds
        let outputCount = record.take(event, at: now, keepsText: collector.keepsText)
        guard case .output = event else { return }
        if outputCount == 1 { collector.noteFirstToken(request, at: now) }
        if let limit = request.shape.disconnectOutputCount, outputCount >= max(limit, 1) { throw ClientGone() }
    }
}
