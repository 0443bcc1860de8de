import ClusterSimulation
import Orchestration
import Vocabulary

/// A coordinator's core over stages that take the time a formula says: for tests of what its decisions do to waits.
struct TimedPipeline {
    struct Stage {
        var fixedSeconds: Double
        var secondsPerPromptRow: Double
        var secondsPerDecodeRow: Double
        /// Free again.
        var freeAt = 0.0
        /// Sum.
        var busySeconds = 0.0
    }

    private(set) var core: CoordinatorCore
    private(set) var stages: [Stage]
    private(set) var now = 0.0
    /// Times of each request's tokens.
    private(set) var tokenTimes: [RequestID: [Double]] = [:]
    private(set) var largestStep = 0
    private let hopSeconds: Double
    /// In the order in which they come back.
    private var running: [(end: Double, step: Step, stageNanoseconds: [UInt64], waited: Double)] = []
    private var requestCount: UInt64 = 0
    private static let term = Term(1)

    init(_ stages: [Stage], hopSeconds: Double, _ change: (inout CoordinatorSettings) -> Void = { _ in }) {
        self.stages = stages
        self.hopSeconds = hopSeconds
        var settings = CoordinatorSettings()
        settings.nodeCountMin = stages.count
        settings.kvTokenCountMax = 32_768
        change(&settings)
        let model = SimulatedModel(name: "m", layerCount: stages.count, contextLength: 8_192)
        core = CoordinatorCore(settings: settings, term: Self.term, models: [model.profile], texts: [:])
        for index in stages.indices {
            tell(.nodeRegistered(ClusterSimulation.description(index, Incarnation(1), speed: 1e9)))
        }
        for stage in core.topology().pipelines[0].stages {
            tell(.stagePrepared(stage.node, PipelineID(1), Epoch(1), Self.term))
        }
    }

    private mutating func tell(_ event: CoordinatorEvent) {
        for command in core.handle(event, at: Instant(nanoseconds: UInt64(now * 1e9))) {
            switch command {
            case .run(_, let step): run(step)
            case .emit(let request, .output): tokenTimes[request, default: []].append(now)
            default: break
            }
        }
    }

    /// Steps go through the stages one after the other, so a step's times follow from when the stages become free.
    private mutating func run(_ step: Step) {
        largestStep = max(largestStep, step.rowCount)
        let promptRows = step.sequences.reduce(0) { $0 + ($1.tokens.count > 1 ? $1.tokens.count : 0) }
        var arrival = now + hopSeconds
        var nanoseconds: [UInt64] = []
        var waited = 0.0
        for index in stages.indices {
            let stage = stages[index]
            let seconds =
                stage.fixedSeconds + Double(promptRows) * stage.secondsPerPromptRow
                + Double(step.rowCount - promptRows) * stage.secondsPerDecodeRow
            waited += max(0, stage.freeAt - arrival)
            stages[index].freeAt = max(arrival, stage.freeAt) + seconds
            stages[index].busySeconds += seconds
            nanoseconds.append(UInt64(seconds * 1e9))
            arrival = stages[index].freeAt + hopSeconds
        }
        running.append((arrival, step, nanoseconds, waited))
    }

    mutating func ask(prompt: Int, output: Int, _ change: (inout GenerationRequest) -> Void = { _ in }) -> RequestID {
        requestCount += 1
        let id = RequestID(requestCount)
        var request = GenerationRequest(
            model: "m", prompt: (0..<prompt).map { TokenID(($0 + Int(requestCount) * 13) % 97) },
            outputTokenCountMax: output, ignoresEnd: true)
        change(&request)
        tell(.requestArrived(id, request))
        return id
    }

    /// Runs until a time.
    mutating func advance(to end: Double) {
        while !running.isEmpty, running[0].end <= end {
            let (time, step, nanoseconds, waited) = running.removeFirst()
            now = max(now, time)
            var result = CoordinatorDriver.result(of: step, token: 20)
            result.stageNanoseconds = nanoseconds
            result.waitedNanoseconds = UInt64(waited * 1e9)
            let last = core.topology().pipelines[0].stages.last?.node ?? .coordinator
            tell(.stepFinished(last, result, Self.term))
        }
        now = max(now, end)
    }

    /// Times between tokens of these requests, of tokens in a span.
    func gaps(of requests: [RequestID], in span: ClosedRange<Double>) -> [Double] {
        requests.flatMap { request -> [Double] in
            let times = tokenTimes[request] ?? []
            return zip(times, times.dropFirst()).filter { span.contains($0.1) }.map { $0.1 - $0.0 }
        }.sorted()
    }
}
