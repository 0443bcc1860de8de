import ClusterSimulation
import Orchestration
import Vocabulary

/// A coordinator's core with nodes that do as they are told at once, for tests that look at single decisions.
struct CoordinatorDriver {
    var core: CoordinatorCore
    var now = Instant(nanoseconds: 0)
    var nextRequest: UInt64 = 1
    /// Everything since the last `drain`.
    private(set) var commands: [CoordinatorCommand] = []
    /// Steps that were run and not answered.
    private(set) var steps: [Step] = []
    private(set) var events: [RequestID: [GenerationEvent]] = [:]

    static let model = SimulatedModel(name: "m", layerCount: 4, contextLength: 256)
    static let term = Term(2)

    static func settings(_ change: (inout CoordinatorSettings) -> Void = { _ in }) -> CoordinatorSettings {
        var settings = CoordinatorSettings()
        settings.kvTokenCountMax = 1024
        change(&settings)
        return settings
    }

    init(_ settings: CoordinatorSettings = Self.settings()) {
        self.init(settings, models: [Self.model])
    }

    init(_ settings: CoordinatorSettings, models: [SimulatedModel]) {
        core = CoordinatorCore(
            settings: settings, term: Self.term, models: models.map(\.profile),
            texts: Dictionary(models.map { ($0.profile.name, $0) }, uniquingKeysWith: { first, _ in first }))
    }

    /// A running pipeline over so many nodes.
    init(nodeCount: Int, _ change: (inout CoordinatorSettings) -> Void = { _ in }) {
        self.init(
            Self.settings { settings in
                settings.nodeCountMin = nodeCount
                change(&settings)
            })
        for index in 0..<nodeCount { register(index) }
        prepareAll()
    }

    static func node(_ index: Int) -> NodeID { NodeID("node-\(index)") ?? .coordinator }

    static func description(_ index: Int, incarnation: UInt64 = 1) -> NodeDescription {
        ClusterSimulation.description(index, Incarnation(incarnation), speed: 1e9)
    }

    // MARK: Events

    @discardableResult
    mutating func tell(_ event: CoordinatorEvent) -> [CoordinatorCommand] {
        let new = core.handle(event, at: now)
        commands += new
        for command in new {
            switch command {
            case .run(_, let step): steps.append(step)
            case .emit(let request, let event): events[request, default: []].append(event)
            default: break
            }
        }
        return new
    }

    mutating func register(_ index: Int, incarnation: UInt64 = 1) {
        tell(.nodeRegistered(Self.description(index, incarnation: incarnation)))
    }

    mutating func lose(_ index: Int, incarnation: UInt64 = 1) {
        let lost = core.topology().pipelines.filter { $0.stages.contains { $0.node == Self.node(index) } }
        steps.removeAll { step in lost.contains { $0.pipeline == step.pipeline } }
        tell(.nodeLost(Self.node(index), Incarnation(incarnation), reason: "gone"))
    }

    /// Answers every prepare since the last time.
    mutating func prepareAll() {
        for (node, assignment) in drainPrepares() {
            tell(.stagePrepared(node, assignment.pipeline, assignment.epoch, Self.term))
        }
    }

    mutating func drainPrepares() -> [(NodeID, StageAssignment)] {
        defer { commands = [] }
        return commands.compactMap { command in
            if case .prepare(let node, let assignment) = command { (node, assignment) } else { nil }
        }
    }

    mutating func ask(
        prompt: Int = 4, output: Int? = 4, _ change: (inout GenerationRequest) -> Void = { _ in }
    ) -> RequestID {
        var request = GenerationRequest(
            model: "m", prompt: Array(repeating: 20, count: prompt), outputTokenCountMax: output, ignoresEnd: true)
        change(&request)
        let id = RequestID(nextRequest)
        nextRequest += 1
        tell(.requestArrived(id, request))
        return id
    }

    /// Asks, and says how that was refused.
    mutating func refusal(
        prompt: Int = 4, output: Int? = 4, _ change: (inout GenerationRequest) -> Void = { _ in }
    ) -> GenerationFailure? {
        let request = ask(prompt: prompt, output: output, change)
        return failure(of: request)
    }

    // MARK: Steps

    /// The oldest step, or the oldest of a pipeline, comes back; every sampled token is `token`.
    @discardableResult
    mutating func finishStep(of pipeline: UInt32? = nil, token: TokenID = 20) -> Step? {
        let place = steps.firstIndex { pipeline == nil || $0.pipeline.rawValue == pipeline }
        guard let place else { return nil }
        let step = steps.remove(at: place)
        let last = core.topology().pipelines[Int(step.pipeline.rawValue) - 1].stages.last?.node
        tell(.stepFinished(last ?? .coordinator, Self.result(of: step, token: token), Self.term))
        return step
    }

    var lastNode: NodeID { core.topology().pipelines[0].stages.last?.node ?? .coordinator }

    /// The pipeline where the request runs.
    func home(of request: RequestID) -> UInt32? {
        core.audits.first { $0.running.contains(SequenceID(request.rawValue)) }?.pipeline.rawValue
    }

    static func result(of step: Step, token: TokenID) -> StepResult {
        let outputs = step.sequences.filter { $0.samples || $0.scores }.map { rows -> SequenceOutput in
            var output = SequenceOutput(sequence: rows.sequence)
            if rows.scores {
                let following = Array(rows.tokens.dropFirst()) + (rows.followingToken.map { [$0] } ?? [])
                output.scored = following.enumerated().map { offset, token in
                    TokenScore(token: token, position: rows.firstPosition + offset + 1)
                }
            }
            if rows.samples {
                output.sampled = TokenScore(token: token, position: rows.firstPosition + rows.tokens.count)
            }
            return output
        }
        return StepResult(pipeline: step.pipeline, epoch: step.epoch, number: step.number, outputs: outputs)
    }

    mutating func finishAllSteps(limit: Int = 10_000) {
        var count = 0
        while count < limit, finishStep() != nil { count += 1 }
    }

    // MARK: What was told

    func failure(of request: RequestID) -> GenerationFailure? {
        if case .failed(let failure) = events[request]?.last { failure } else { nil }
    }

    func finish(of request: RequestID) -> (reason: FinishReason, usage: GenerationUsage)? {
        if case .finished(let reason, let usage) = events[request]?.last { (reason, usage) } else { nil }
    }

    func text(of request: RequestID) -> String {
        (events[request] ?? []).reduce("") { text, event in
            if case .output(let new, _) = event { text + new } else { text }
        }
    }

    func tokens(of request: RequestID) -> [TokenID] {
        (events[request] ?? []).flatMap { event -> [TokenID] in
            if case .output(_, let tokens) = event { tokens.map(\.token) } else { [] }
        }
    }
}
