import Orchestration
package import Vocabulary

/// A coordinator's core and nodes' cores over a seeded network and clock. Only arithmetic, sockets and time are not
/// real; one seed gives one course of events.
package struct ClusterSimulation {
    package let options: SimulationOptions
    let models: [SimulatedModel]
    var random: SeededRandom
    package private(set) var now = Instant(nanoseconds: 0)
    var schedule = EventSchedule()
    var coordinator: CoordinatorCore
    /// In order of their names.
    var nodes: [SimulatedNode] = []
    var links = Links()
    var ledgers: [RequestLedger] = []
    package var problems: [String] = []
    /// What the coordinator has in flight of each pipeline.
    var stepsInFlight: [PipelineID: StepsInFlight] = [:]
    package var statistics = Statistics()
    /// Each flow's first request, until it begins.
    var firstWaiting: [SequenceID] = []
    var begun: Set<SequenceID> = []
    /// Where each request last began.
    var homes: [SequenceID: PipelineID] = [:]
    let pipelineLimits: [PipelineID: ModelLimits]

    package struct Statistics: Equatable {
        package var eventCount = 0
        package var stepCount = 0
        package var preemptionCount = 0
        package var finishedCount = 0
        package var interruptedCount = 0
        package var epochCount: UInt64 = 0
        package var weightLoadCount = 0
        package var cachedTokenCount = 0
        /// Times that a request went on in another pipeline than before.
        package var moveCount = 0
        /// Pipelines that ran a step.
        package var busyPipelineCount = 0
    }

    package init(_ options: SimulationOptions) {
        self.options = options
        random = SeededRandom(seed: options.seed)
        models = (0..<options.modelCount).map {
            SimulatedModel(
                name: SimulationOptions.modelName($0), layerCount: options.layerCount,
                contextLength: SimulationOptions.contextLength)
        }
        coordinator = CoordinatorCore(
            settings: options.settings, term: Term(3), models: models.map(\.profile),
            texts: Dictionary(uniqueKeysWithValues: models.map { ($0.profile.name, $0) }))
        pipelineLimits = Dictionary(
            uniqueKeysWithValues: coordinator.modelAudits.flatMap { audit in
                audit.pipelines.map { ($0, audit.limits) }
            })
        for index in 0..<options.nodeCount {
            let speed = Double.random(in: 1e9...9e9, using: &random)
            nodes.append(SimulatedNode(Self.description(index, Incarnation(random.next()), speed: speed)))
        }
    }

    package static func description(_ index: Int, _ incarnation: Incarnation, speed: Double) -> NodeDescription {
        NodeDescription(
            node: NodeID("node-\(index)") ?? .coordinator, incarnation: incarnation, host: "host", port: 7000 + index,
            processID: 1, threadCount: 1, coreCount: 1, numaNodeCount: 1, instructionSet: "scalar",
            memoryLimitBytes: 10_000_000, readBytesPerSecond: speed, multiplyAddsPerSecond: 1e9, version: "1")
    }

    // MARK: The course of events

    package mutating func run() {
        for index in nodes.indices { schedule.add(.nodeRegisters(index), at: randomSpan(0...3_000)) }
        let span = options.spanMilliseconds * 1_000
        for _ in 0..<options.requestCount { schedule.add(.requestArrives, at: randomSpan(2_000...(20_000 + span))) }
        for _ in 0..<options.faultCount { schedule.add(.faultStrikes, at: randomSpan(0...(20_000 + span))) }
        settle()
        for node in nodes { now = max(now, node.hungUntil) }
        // Faults have stopped and the nodes are back: what is asked now must be served.
        let probes = ledgers.count
        for model in models {
            var request = options.request(model, &random)
            request.timeLimit = nil
            arrive(request, isValid: true)
        }
        settle()
        for ledger in ledgers[probes...] where ledger.state != .ended(failure: nil) {
            report(
                "a request after the last fault was not served: \(ledger.state), \(coordinator.unreadyReason() ?? "")")
        }
        checkRest()
    }

    /// Until nothing more is due.
    private mutating func settle() {
        while problems.isEmpty {
            let deadline = coordinator.nextDeadline
            guard let due = [deadline, schedule.nextDue].compactMap({ $0 }).min() else { return }
            guard statistics.eventCount < 200_000 else { return report("no end") }
            statistics.eventCount += 1
            now = max(now, due)
            if let deadline, deadline <= now {
                trace("a deadline passes")
                tell(.deadlinePassed)
            } else if let event = schedule.next() {
                happen(event)
            }
            checkInvariants()
        }
    }

    private mutating func happen(_ event: SimulatedEvent) {
        trace("\(event)")
        switch event {
        case .requestArrives: requestArrives()
        case .requestIsCancelled(let request):
            guard !ledgers[Int(request.rawValue) - 1].hasEnded else { return }
            ledgers[Int(request.rawValue) - 1].isCancelled = true
            tell(.requestCancelled(request))
        case .nodeRegisters(let index): nodeRegisters(index)
        case .nodeStarts(let index): nodeStarts(index)
        case .faultStrikes: faultStrikes()
        case .coordinatorHears(let message): tell(message)
        case .coordinatorReceives(let message, let link):
            if links.isCurrent(link) { tell(message) }
        case .nodeHears(let index, let incarnation, let message):
            tellNode(index, incarnation, message)
        case .nodeReceives(let index, let message, let hidden, let link):
            if links.isCurrent(link) { receive(index, message, hidden, link) }
        case .nodeComputes(let index, let incarnation, let batch): nodeComputes(index, incarnation, batch)
        case .nodeLoads(let index, let incarnation, let assignment, let fails):
            nodeLoads(index, incarnation, assignment, fails: fails)
        }
    }

    // MARK: Requests

    private mutating func requestArrives() {
        guard let model = models.randomElement(using: &random) else { return }
        let isValid = !random.chance(options.invalidShare)
        var request = isValid ? options.request(model, &random) : options.invalidRequest(model, &random)
        if isValid, random.chance(0.3) { makeNextTurn(&request) }
        arrive(request, isValid: isValid)
        if random.chance(options.cancelShare) {
            schedule.add(.requestIsCancelled(RequestID(UInt64(ledgers.count))), at: later(0...30_000))
        }
    }

    /// A chat goes on: all that was said, and something new.
    private mutating func makeNextTurn(_ request: inout GenerationRequest) {
        guard let before = ledgers.randomElement(using: &random), before.request.model == request.model,
            let output = before.reference?.output
        else { return }
        let prompt = before.request.prompt + output.map(\.token) + request.prompt.prefix(5)
        let positionCountMax = options.positionCountMax(request.model)
        guard prompt.count + request.outputTokenCountMin < positionCountMax else { return }
        request.prompt = prompt
        request.cacheSalt = before.request.cacheSalt
    }

    private mutating func arrive(_ request: GenerationRequest, isValid: Bool) {
        let reference =
            isValid
            ? models.first { $0.profile.name == request.model }.map {
                ReferenceRun(request, $0, positionCountMax: options.positionCountMax(request.model))
            } : nil
        let id = SequenceID(UInt64(ledgers.count + 1))
        ledgers.append(RequestLedger(request, reference: reference, arrived: now))
        let isFirst = !ledgers.dropLast().contains {
            $0.request.model == request.model && $0.flow == ledgers.last?.flow
        }
        if isFirst { firstWaiting.append(id) }
        tell(.requestArrived(RequestID(UInt64(ledgers.count)), request))
    }

    // MARK: The coordinator's shell

    mutating func tell(_ event: CoordinatorEvent) {
        if case .stepFinished(_, let result, _) = event { stepsInFlight[result.pipeline]?.finish(result) }
        var commands = coordinator.handle(event, at: now)
        if let bug = options.plantedBug { plant(bug, into: &commands) }
        for command in commands {
            trace("coordinator: \(command)")
            execute(command)
        }
    }

    private mutating func execute(_ command: CoordinatorCommand) {
        switch command {
        case .prepare(let node, let assignment):
            statistics.epochCount = max(statistics.epochCount, assignment.epoch.rawValue)
            send(.prepareAsked(assignment, coordinator.term), to: node)
        case .release(let node, let pipeline, let epoch):
            send(.releaseAsked(pipeline, epoch, coordinator.term), to: node)
        case .run(let node, let step):
            statistics.stepCount += 1
            checkStep(step)
            send(.stepArrived(step, coordinator.term, from: .coordinator), to: node)
        case .emit(let request, let event): take(event, of: request)
        case .note(_, let text):
            if text.contains("preempted") { statistics.preemptionCount += 1 }
        }
    }

    private mutating func take(_ event: GenerationEvent, of request: RequestID) {
        if case .finished(_, let usage) = event {
            statistics.finishedCount += 1
            statistics.cachedTokenCount += usage.cachedTokenCount
            checkCachedTokens(usage.cachedTokenCount, of: request)
        }
        if case .failed(let failure) = event, failure.kind == .interrupted { statistics.interruptedCount += 1 }
        if options.faultCount == 0, case .failed(let failure) = event, failure.kind == .interrupted {
            report("request \(request) failed without a fault: \(failure)")
        }
        if let flaw = ledgers[Int(request.rawValue) - 1].take(event, at: now) { report("request \(request): \(flaw)") }
    }

    private mutating func send(_ event: NodeEvent, to node: NodeID) {
        guard let index = nodes.firstIndex(where: { $0.id == node }) else { return report("no node \(node)") }
        let link = links.current(from: nil, to: index)
        schedule.add(
            .nodeReceives(index, event, hidden: nil, link), at: links.arrival(on: link, after: later(20...400)))
    }

    // MARK: Helpers

    private func trace(_ text: @autoclosure () -> String) {
        if options.isTraced { print("\(now.nanoseconds / 1_000) µs: \(text())") }
    }

    mutating func randomSpan(_ microseconds: ClosedRange<UInt64>) -> Instant {
        Instant(nanoseconds: UInt64.random(in: microseconds, using: &random) * 1_000)
    }

    mutating func later(_ microseconds: ClosedRange<UInt64>) -> Instant {
        now + Instant.Span(nanoseconds: randomSpan(microseconds).nanoseconds)
    }

    mutating func report(_ problem: String) {
        problems.append("seed \(options.seed) at \(now.nanoseconds / 1_000) µs: \(problem)")
    }
}
