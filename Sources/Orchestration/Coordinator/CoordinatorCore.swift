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
    /// In the order of the configuration: those before come first when memory is short.
    package var models: [ModelReplicas]
    /// The model of each name.
    private let modelIndices: [String: Int]
    /// Of the pipeline whose id is greater by one: its model, and its place among that one's.
    private let pipelinePlaces: [(model: Int, replica: Int)]
    /// The model of each request that has not ended.
    private var requestModels: [RequestID: Int] = [:]
    private var newestRequest = RequestID(0)

    /// - Parameters:
    ///   - models: with names of their own.
    ///   - texts: the bytes behind the tokens of each model, by its name; a model without is served without text.
    public init(
        settings: CoordinatorSettings, term: Term, models: [ModelProfile], texts: [String: any TokenText]
    ) {
        self.settings = settings
        self.term = term
        var places: [(model: Int, replica: Int)] = []
        self.models = models.enumerated().map { index, model in
            let replicas = ModelReplicas(
                model: model, text: texts[model.name], firstPipeline: UInt32(places.count + 1), settings: settings)
            places += replicas.pipelines.indices.map { (index, $0) }
            return replicas
        }
        pipelinePlaces = places
        modelIndices = Dictionary(
            models.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// When `deadlinePassed` is to be handed in, if nothing else happens before.
    public var nextDeadline: Instant? {
        var earliest: Instant?
        for index in models.indices {
            guard let deadline = models[index].nextDeadline else { continue }
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
            withPipeline(pipeline, of: term, at: now, &commands) { $0.stagePrepared(node, epoch, at: now) }
        case .stageProgressed(let node, let pipeline, let epoch, let term, _, _):
            withPipeline(pipeline, of: term, at: now, &commands) { $0.stageProgressed(node, epoch, at: now) }
        case .stageFailed(let node, let pipeline, let epoch, let term, let reason):
            withPipeline(pipeline, of: term, at: now, &commands) {
                $0.stageFailed(node, epoch, reason: reason, at: now)
            }
        case .requestArrived(let request, let generation): arrived(request, generation, at: now, &commands)
        case .requestCancelled(let request):
            if let index = requestModels[request] {
                models[index].requestCancelled(request, at: now)
                models[index].settle(at: now)
            }
        case .stepFinished(let node, let result, let term):
            withPipeline(result.pipeline, of: term, at: now, &commands) { $0.stepFinished(node, result, at: now) }
        case .stepFailed(let node, let pipeline, let epoch, let number, let term, let reason):
            withPipeline(pipeline, of: term, at: now, &commands) {
                $0.stepFailed(node, epoch, number, reason: reason)
            }
        case .deadlinePassed:
            for index in models.indices {
                models[index].deadlinePassed(at: now)
                models[index].settle(at: now)
            }
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
        guard let index = modelIndices[generation.model] else {
            let names = models.map(\.model.name).joined(separator: ", ")
            let message = "there is no model \(generation.model) here; there is: \(names)"
            commands.append(.emit(request, .failed(GenerationFailure(.unknownModel, message))))
            return
        }
        requestModels[request] = index
        models[index].requestArrived(request, generation, at: now)
        models[index].settle(at: now)
    }

    // MARK: Pipelines

    private mutating func withPipeline(
        _ id: PipelineID, of reportedTerm: Term, at now: Instant, _ commands: inout [CoordinatorCommand],
        _ body: (inout Pipeline) -> Void
    ) {
        guard reportedTerm == term else {
            commands.append(.note(.debug, "ignored a report of term \(reportedTerm); this is term \(term)"))
            return
        }
        guard id.rawValue > 0, let index = Int(exactly: id.rawValue - 1), index < pipelinePlaces.count else {
            commands.append(.note(.warning, "ignored a report of pipeline \(id): there is none"))
            return
        }
        let place = pipelinePlaces[index]
        body(&models[place.model].pipelines[place.replica])
        models[place.model].settle(at: now)
    }

    /// Plans the pipelines that wait for something which may have come.
    private mutating func formPipelines(at now: Instant) {
        for index in models.indices where models[index].needsForming {
            var uses: [NodeID: ModelReplicas.NodeUse] = [:]
            for other in models.indices where other != index {
                for plan in models[other].pipelines.compactMap(\.plan) {
                    for stage in plan.stages {
                        var use = uses[stage.node] ?? ModelReplicas.NodeUse()
                        use.bytes = use.bytes.addingSaturating(plan.memoryBytes(on: stage.node))
                        use.stageCount += 1
                        uses[stage.node] = use
                    }
                }
            }
            let unplaced = models.indices.count { other in
                other == index || models[other].pipelines.contains { $0.plan == nil }
            }
            models[index].form(
                on: membership.connected, sharerCount: unplaced,
                uses: { uses[$0] ?? ModelReplicas.NodeUse() }, at: now)
            models[index].settle(at: now)
        }
    }

    /// Takes the models' commands, and notes which requests have ended.
    private mutating func collect(_ commands: inout [CoordinatorCommand]) {
        for index in models.indices where !models[index].outbox.isEmpty {
            for command in models[index].outbox {
                switch command {
                case .emit(let request, .finished), .emit(let request, .failed): requestModels[request] = nil
                default: break
                }
                commands.append(command)
            }
            models[index].outbox.removeAll(keepingCapacity: true)
        }
    }
}
