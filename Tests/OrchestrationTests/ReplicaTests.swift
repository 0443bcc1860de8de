import ClusterSimulation
import Orchestration
import Testing
import Vocabulary

/// Several pipelines of one model, and several models.
@Suite struct ReplicaTests {
    /// A running model over so many nodes.
    private static func driver(
        nodeCount: Int, replicaCount: Int, _ change: (inout CoordinatorSettings) -> Void = { _ in }
    ) -> CoordinatorDriver {
        CoordinatorDriver(nodeCount: nodeCount) { settings in
            settings.replicaCount = replicaCount
            change(&settings)
        }
    }

    private static func nodes(of pipeline: Topology.PipelineStatus) -> [NodeID] { pipeline.stages.map(\.node) }

    // MARK: Nodes

    @Test func replicasHaveNodesOfTheirOwn() {
        let driver = Self.driver(nodeCount: 4, replicaCount: 2)
        let pipelines = driver.core.topology().pipelines
        #expect(pipelines.map(\.replica) == [1, 2] && pipelines.map(\.replicaCount) == [2, 2])
        #expect(pipelines.map(\.state) == ["running", "running"])
        #expect(pipelines.map(\.stages.count) == [2, 2])
        #expect(Set(pipelines.flatMap(Self.nodes)).count == 4)
    }

    @Test func aReplicaWithoutNodesDoesNotStopTheOthers() {
        var driver = Self.driver(nodeCount: 1, replicaCount: 2)
        #expect(driver.core.unreadyReason() == nil)
        #expect(driver.core.topology().pipelines.map(\.state) == ["running", "waiting for nodes"])
        let request = driver.ask()
        driver.register(1)
        driver.prepareAll()
        #expect(driver.core.topology().pipelines.map(\.state) == ["running", "running"])
        driver.finishAllSteps()
        #expect(driver.finish(of: request) != nil)
    }

    @Test func whoWaitsForNodesSaysWhatWouldHelp() {
        var driver = CoordinatorDriver(CoordinatorDriver.settings { $0.replicaCount = 2 })
        let notes = driver.tell(.nodeRegistered(CoordinatorDriver.description(0))).compactMap { command in
            if case .note(_, let text) = command { text } else { nil }
        }
        #expect(notes.contains { $0.contains("replica 2 of 2 has no nodes") && $0.contains("set 'replicas' lower") })
    }

    /// Nodes too small to hold the model alone: what is left of two replicas makes one.
    @Test func survivorsOfTwoReplicasMakeOne() {
        var driver = CoordinatorDriver(
            CoordinatorDriver.settings {
                $0.replicaCount = 2
                $0.nodeCountMin = 2
            })
        func register(_ index: Int) {
            var node = CoordinatorDriver.description(index)
            node.memoryLimitBytes = 7_300
            driver.tell(.nodeRegistered(node))
        }
        for index in 0..<4 { register(index) }
        driver.prepareAll()
        #expect(
            driver.core.topology().pipelines.map(Self.nodes)
                == [[0, 1], [2, 3]].map { $0.map(CoordinatorDriver.node) })
        driver.lose(1)
        #expect(driver.drainPrepares().isEmpty)
        driver.lose(3)
        let takeover = driver.commands.compactMap { command -> String? in
            switch command {
            case .release(let node, let pipeline, _): "release \(node) \(pipeline)"
            case .prepare(let node, let assignment): "prepare \(node) \(assignment.pipeline)"
            default: nil
            }
        }
        // What the second replica has there goes before the first one's comes.
        #expect(takeover == ["release node-2 2", "prepare node-2 1", "prepare node-0 1"])
        driver.prepareAll()
        #expect(driver.core.topology().pipelines.map(\.state) == ["running", "waiting for nodes"])
        for index in [1, 3] { register(index) }
        driver.prepareAll()
        #expect(
            driver.core.topology().pipelines.map(Self.nodes)
                == [[0, 2], [1, 3]].map { $0.map(CoordinatorDriver.node) })
    }

    // MARK: Losses

    @Test func aLostNodeConcernsItsReplicaAlone() {
        var driver = Self.driver(nodeCount: 2, replicaCount: 2) {
            $0.runningSequenceCountMax = 1
            $0.nodeCountMin = 1
        }
        let requests = (0..<3).map { _ in driver.ask() }
        #expect(requests.map { driver.home(of: $0) } == [1, 2, nil])
        driver.lose(1)
        #expect(driver.failure(of: requests[1])?.kind == .interrupted)
        #expect(driver.core.unreadyReason() == nil)
        let later = driver.ask()
        driver.finishAllSteps()
        for request in [requests[0], requests[2], later] { #expect(driver.finish(of: request)?.reason == .length) }
        driver.register(1, incarnation: 2)
        driver.prepareAll()
        #expect(driver.core.topology().pipelines.map(\.state) == ["running", "running"])
    }

    @Test func requestsWaitOnlyWhileNoReplicaRuns() {
        var driver = Self.driver(nodeCount: 2, replicaCount: 2) {
            $0.runningSequenceCountMax = 1
            $0.waitingDeadline = .seconds(30)
            $0.nodeCountMin = 1
        }
        let requests = (0..<3).map { _ in driver.ask() }
        driver.lose(0)
        #expect(driver.core.nextDeadline != Instant(nanoseconds: 30_000_000_000))
        driver.lose(1)
        #expect(driver.core.nextDeadline == Instant(nanoseconds: 30_000_000_000))
        #expect(driver.refusal()?.kind == .unavailable)
        driver.register(1)
        driver.prepareAll()
        driver.finishAllSteps()
        #expect(driver.finish(of: requests[2])?.reason == .length)
    }

    // MARK: Models

    private static let second = SimulatedModel(name: "second", layerCount: 4, contextLength: 256)

    @Test func eachModelHasItsOwnLimits() {
        var settings = CoordinatorDriver.settings()
        var limits = ModelLimits()
        limits.contextTokenCountMax = 100
        limits.runningSequenceCountMax = 1
        limits.waitingRequestCountMax = 1
        limits.stepRowCountMax = 8
        limits.kvTokenCountMax = 128
        settings.modelLimits["second"] = limits
        var driver = CoordinatorDriver(settings, models: [CoordinatorDriver.model, Self.second])
        driver.register(0)
        let rows = driver.commands.compactMap { command -> Int? in
            if case .prepare(_, let assignment) = command { assignment.rowCountMax } else { nil }
        }
        #expect(rows == [64, 8])
        driver.prepareAll()
        #expect(driver.core.topology().pipelines.map(\.blockCount) == [32, 4])
        #expect(driver.refusal(prompt: 100) { $0.model = "second" }?.message.contains("has 100") == true)
        #expect(driver.refusal(prompt: 100) == nil)
        let requests = (0..<3).map { _ in driver.ask { $0.model = "second" } }
        #expect(requests.map { driver.failure(of: $0)?.kind } == [nil, nil, .overloaded])
        driver.finishAllSteps()
        #expect(requests.prefix(2).allSatisfy { driver.finish(of: $0) != nil })
        #expect(driver.refusal { $0.model = "third" }?.message.contains("there is: m, second") == true)
    }

    /// The first model's nodes are slower for the second: it goes where less is done, if it has a choice.
    @Test func replicasOfTwoModelsShareNodes() {
        var settings = CoordinatorDriver.settings { $0.nodeCountMin = 2 }
        settings.limits.replicaCount = 2
        var driver = CoordinatorDriver(settings, models: [CoordinatorDriver.model, Self.second])
        for index in 0..<2 { driver.register(index) }
        driver.prepareAll()
        let pipelines = driver.core.topology().pipelines
        #expect(pipelines.map(\.model) == ["m", "m", "second", "second"])
        #expect(pipelines.map(\.state) == Array(repeating: "running", count: 4))
        #expect(pipelines.map(Self.nodes) == [0, 1, 0, 1].map { [CoordinatorDriver.node($0)] })
        let requests = ["m", "second"].map { name in driver.ask { $0.model = name } }
        #expect(requests.map { driver.home(of: $0) } == [1, 3])
        driver.lose(0)
        #expect(requests.map { driver.failure(of: $0)?.kind } == [.interrupted, .interrupted])
        #expect(driver.core.unreadyReason() == nil)
    }
}
