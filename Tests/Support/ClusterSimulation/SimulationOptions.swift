package import Orchestration
import Vocabulary

/// What a simulated cluster is like and what happens to it; drawn from a seed.
package struct SimulationOptions {
    package var seed: UInt64
    package var nodeCount: Int
    package var modelCount: Int
    package var layerCount: Int
    package var requestCount: Int
    package var cancelShare: Double
    package var invalidShare: Double
    package var faultCount: Int
    /// The time over which requests arrive and faults happen.
    package var spanMilliseconds: UInt64
    package var settings: CoordinatorSettings
    /// Prints what happens.
    package var isTraced = false
    package var plantedBug: PlantedBug?

    package static let contextLength = 160

    package init(seed: UInt64, hasFaults: Bool) {
        var random = SeededRandom(seed: seed &* 2 &+ (hasFaults ? 1 : 0))
        self.seed = seed
        nodeCount = Int.random(in: 1...5, using: &random)
        modelCount = random.chance(0.25) ? Int.random(in: 2...3, using: &random) : 1
        layerCount = Int.random(in: nodeCount...6, using: &random)
        requestCount = Int.random(in: 6...20, using: &random)
        cancelShare = random.chance(0.5) ? 0.25 : 0
        invalidShare = 0.05
        faultCount = hasFaults ? Int.random(in: 1...5, using: &random) : 0
        spanMilliseconds = UInt64.random(in: 5...80, using: &random)
        settings = CoordinatorSettings()
        settings.nodeCountMin = hasFaults ? Int.random(in: 1...nodeCount, using: &random) : nodeCount
        settings.limits = Self.limits(&random)
        // Half of the models go by the settings' limits, all others have their own.
        for index in 0..<modelCount where random.chance(0.5) {
            settings.modelLimits[Self.modelName(index)] = Self.limits(&random)
        }
        settings.stepDeadline = .milliseconds(200)
        settings.prepareDeadline = .milliseconds(300)
        settings.loadRetryDelay = .milliseconds(50)
        settings.waitingDeadline = .milliseconds(2_000)
    }

    private static func limits(_ random: inout SeededRandom) -> ModelLimits {
        var limits = ModelLimits()
        // More than there are nodes, sometimes.
        limits.replicaCount = random.chance(0.5) ? Int.random(in: 2...3, using: &random) : 1
        limits.stepRowCountMax = [1, 2, 3, 7, 16, 64].randomElement(using: &random) ?? 64
        limits.runningSequenceCountMax = Int.random(in: 1...12, using: &random)
        limits.waitingRequestCountMax = random.chance(0.3) ? 3 : 100
        limits.waitingRequestCountMaxPerTenant = random.chance(0.3) ? 2 : 100
        limits.kvTokenCountMax = Int.random(in: 3...9, using: &random) * BlockID.positionCount
        if random.chance(0.2) { limits.contextTokenCountMax = Int.random(in: 100...200, using: &random) }
        return limits
    }

    static func modelName(_ index: Int) -> String { "model-\(index)" }

    /// Positions that one sequence of the model can have.
    func positionCountMax(_ model: String) -> Int {
        let limits = settings.limits(of: model)
        return min(Self.contextLength, limits.contextTokenCountMax ?? .max, limits.kvTokenCountMax ?? .max)
    }

    func request(_ model: SimulatedModel, _ random: inout SeededRandom) -> GenerationRequest {
        let positionCountMax = positionCountMax(model.profile.name)
        let promptCount = Int.random(in: 1...min(random.chance(0.5) ? 20 : 90, positionCountMax - 1), using: &random)
        // Some begin as others do.
        let document = UInt64.random(in: 1...3, using: &random)
        var text = SeededRandom(seed: seed &* 5 &+ document)
        let sharedCount = random.chance(0.5) ? Int.random(in: 0...promptCount, using: &random) : 0
        let shared = (0..<sharedCount).map { _ in TokenID.random(in: 0..<97, using: &text) }
        var request = GenerationRequest(
            model: model.profile.name,
            prompt: shared + (sharedCount..<promptCount).map { _ in TokenID.random(in: 0..<97, using: &random) })
        if random.chance(0.2) { request.cacheSalt = "salt" }
        request.reusesPrefix = !random.chance(0.1)
        request.tenant = ["", "ann", "ben", "cat"].randomElement(using: &random) ?? ""
        request.priority = Int.random(in: -1...1, using: &random)
        if random.chance(0.1) { request.timeLimit = .milliseconds(UInt64.random(in: 0...60, using: &random)) }
        request.sampling.seed = random.next()
        request.sampling.choice = UInt32.random(in: 0...2, using: &random)
        if random.chance(0.3) { request.sampling.presencePenalty = 0.5 }
        if random.chance(0.3) { request.sampling.topLogprobCount = 3 }
        let room = positionCountMax - promptCount
        if random.chance(0.9) { request.outputTokenCountMax = Int.random(in: 0...60, using: &random) }
        request.ignoresEnd = random.chance(0.6)
        if random.chance(0.2) {
            request.outputTokenCountMin = Int.random(
                in: 0...min(room, request.outputTokenCountMax ?? 8), using: &random)
        }
        if random.chance(0.3) {
            request.stopStrings =
                [["ab", "\u{E9}"], ["cc"], ["bade", "ad"], ["e"]].randomElement(using: &random) ?? []
            request.includesStopString = random.chance(0.3)
        }
        request.scoresPrompt = random.chance(0.3)
        return request
    }

    /// One that must be refused at once.
    func invalidRequest(_ model: SimulatedModel, _ random: inout SeededRandom) -> GenerationRequest {
        var request = self.request(model, &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: request.model = "another"
        case 1: request.prompt = []
        case 4: request.priority = 4
        case 2: request.prompt.append(97)
        case 3:
            request.prompt = Array(repeating: 5, count: Self.contextLength)
            request.outputTokenCountMax = nil
        default: request.outputTokenCountMin = Self.contextLength
        }
        return request
    }
}
