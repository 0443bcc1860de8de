public import Vocabulary

/// All that a coordinator decides: which nodes hold what, which requests run, and what goes into each step.
///
/// A pure state machine: it reads no clock, draws no random numbers and does no input or output. Whoever drives it
/// hands in events with the time they are handled at, executes the commands in their order, and hands in
/// `deadlinePassed` when `nextDeadline` has passed.
public struct CoordinatorCore: Sendable {
    public let term: Term
    let settings: CoordinatorSettings
    var membership = Membership()
    /// One for each model, in the order of the models: those before come first when memory is short.
    package var pipelines: [Pipeline]
    /// The pipeline of each model's name.
    private let pipelineIndices: [String: Int]
    /// The pipeline of each request that has not ended.
    private var requestPipelines: [RequestID: Int] = [:]
    private var newestRequest = RequestID(0)

    /// - Parameters:
    ///   - models: with names of their own.
    ///   - texts: the bytes behind the tokens of each model, by its name; a model without is served without text.
    public init(
        settings: CoordinatorSettings, term: Term, models: [ModelProfile], texts: [String: any TokenText]
    ) {
        self.settings = settings
        self.term = term
        pipelines = models.enumerated().map { index, model in
            Pipeline(id: PipelineID(UInt32(index + 1)), model: model, text: texts[model.name], settings: settings)
        }
        pipelineIndices = Dictionary(
            models.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// When `deadlinePassed` is to be handed in, if nothing else happens before.
    public var nextDeadline: Instant? {
        var earliest: Instant?
        for index in pipelines.indices {
            guard let deadline = pipelines[index].nextDeadline else { continue }
            earliest = earliest.map { min($0, deadline) } ?? deadline
        }
        return earliest
    }

    public mutating func handle(_ event: CoordinatorEvent, at now: Instant) -> [CoordinatorCommand] {
        var commands: [CoordinatorCommand] = []
        switch event {
        case .nodeRegistered(let description): nodeRegistered(description, at: now, &commands)
        case .nodeLost(let node, let incarnation, let reason):
            nodeLost(node, incarnation, reason: reason, at: now, &commands)
        case .stagePrepared(let node, let pipeline, let epoch, let term):
            withPipeline(pipeline, of: term, &commands) { $0.stagePrepared(node, epoch, at: now) }
        case .stageProgressed(let node, let pipeline, let epoch, let term, _, _):
            withPipeline(pipeline, of: term, &commands) { $0.stageProgressed(node, epoch, at: now) }
        case .stageFailed(let node, let pipeline, let epoch, let term, let reason):
            withPipeline(pipeline, of: term, &commands) { $0.stageFailed(node, epoch, reason: reason, at: now) }
        case .requestArrived(let request, let generation): arrived(request, generation, at: now, &commands)
        case .requestCancelled(let request):
            if let index = requestPipelines[request] { pipelines[index].requestCancelled(request, at: now) }
        case .stepFinished(let node, let result, let term):
            withPipeline(result.pipeline, of: term, &commands) { $0.stepFinished(node, result, at: now) }
        case .stepFailed(let node, let pipeline, let epoch, let number, let term, let reason):
            withPipeline(pipeline, of: term, &commands) {
                $0.stepFailed(node, epoch, number, reason: reason, at: now)
            }
        case .deadlinePassed:
            for index in pipelines.indices { pipelines[index].deadlinePassed(at: now) }
        }
        formPipelines(at: now)
        collect(&commands)
        return commands
    }

    // MARK: Requests

    private mutating func arrived(
        _ request: RequestID, _ generation: GenerationRequest, at now: Instant, _ commands: inout [CoordinatorCommand]
    ) {
        guard request > newestRequest else {
            commands.append(.note(.error, "request \(request) is not newer than request \(newestRequest): ignored"))
            return
        }
        newestRequest = request
        guard let index = pipelineIndices[generation.model] else {
            let names = pipelines.map(\.model.name).joined(separator: ", ")
            let message = "there is no model \(generation.model) here; there is: \(names)"
            commands.append(.emit(request, .failed(GenerationFailure(.unknownModel, message))))
            return
        }
        requestPipelines[request] = index
        pipelines[index].requestArrived(request, generation, at: now)
    }

    // MARK: Pipelines

    private mutating func withPipeline(
        _ id: PipelineID, of reportedTerm: Term, _ commands: inout [CoordinatorCommand],
        _ body: (inout Pipeline) -> Void
    ) {
        guard reportedTerm == term else {
            commands.append(.note(.debug, "ignored a report of term \(reportedTerm); this is term \(term)"))
            return
        }
        guard id.rawValue > 0, let index = Int(exactly: id.rawValue - 1), index < pipelines.count else {
            commands.append(.note(.warning, "ignored a report of pipeline \(id): there is none"))
            return
        }
        body(&pipelines[index])
    }

    /// Plans the pipelines that wait for something which may have come.
    private mutating func formPipelines(at now: Instant) {
        for index in pipelines.indices where pipelines[index].needsForming {
            let nodes = membership.connected
            var usedBytes: [NodeID: UInt64] = [:]
            for other in pipelines.indices where other != index {
                for stage in pipelines[other].plan?.stages ?? [] {
                    let bytes = pipelines[other].plan?.memoryBytes(on: stage.node) ?? 0
                    usedBytes[stage.node, default: 0] = usedBytes[stage.node, default: 0].addingSaturating(bytes)
                }
            }
            let unplaced = pipelines.indices.count { $0 == index || pipelines[$0].plan == nil }
            pipelines[index].form(on: nodes, sharerCount: unplaced, usedBytes: { usedBytes[$0] ?? 0 }, at: now)
        }
    }

    /// Takes the pipelines' commands, and notes which requests have ended.
    private mutating func collect(_ commands: inout [CoordinatorCommand]) {
        for index in pipelines.indices where !pipelines[index].outbox.isEmpty {
            for command in pipelines[index].outbox {
                switch command {
                case .emit(let request, .finished), .emit(let request, .failed): requestPipelines[request] = nil
                default: break
                }
                commands.append(command)
            }
            pipelines[index].outbox.removeAll(keepingCapacity: true)
        }
    }
}
