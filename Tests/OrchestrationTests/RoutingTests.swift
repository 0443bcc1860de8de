import ClusterSimulation
import Orchestration
import Testing
import Vocabulary

/// Which replica serves a request.
@Suite struct RoutingTests {
    private static func driver(_ change: (inout CoordinatorSettings) -> Void = { _ in }) -> CoordinatorDriver {
        CoordinatorDriver(nodeCount: 2) { settings in
            settings.replicaCount = 2
            change(&settings)
        }
    }

    private static func prompt(_ count: Int, salt: TokenID = 0) -> [TokenID] {
        (0..<count).map { (TokenID($0) * 7 + salt) % 97 }
    }

    /// Two replicas, the second of which has the first 64 tokens of `prompt(70)` in its cache.
    private static func warmDriver() -> CoordinatorDriver {
        var driver = Self.driver()
        let first = driver.ask(prompt: 4, output: 100)
        let cached = driver.ask(output: 1) { $0.prompt = Self.prompt(70) }
        #expect([first, cached].map { driver.home(of: $0) } == [1, 2])
        driver.finishAllSteps()
        return driver
    }

    @Test func loadIsShared() {
        var driver = Self.driver()
        let requests = (0..<6).map { _ in driver.ask() }
        #expect(requests.map { driver.home(of: $0) } == [1, 2, 1, 2, 1, 2])
    }

    @Test func aCachedPrefixDecides() {
        var driver = Self.warmDriver()
        let again = driver.ask(output: 1) { $0.prompt = Self.prompt(70) }
        #expect(driver.home(of: again) == 2)
        driver.finishAllSteps()
        #expect(driver.finish(of: again)?.usage.cachedTokenCount == 64)
        // Another salt is another prefix: the lower number is as good.
        let salted = driver.ask(output: 1) {
            $0.prompt = Self.prompt(70)
            $0.cacheSalt = "other"
        }
        #expect(driver.home(of: salted) == 1)
    }

    /// 64 cached tokens are worth as much as 64 rows of a sequence that runs beside.
    @Test(arguments: [(output: 32, home: 2), (output: 96, home: 1)])
    func loadIsWeighedAgainstThePrefix(output: Int, home: UInt32) {
        var driver = Self.warmDriver()
        let running = driver.ask(output: 100) { $0.prompt = Self.prompt(70) }
        #expect(driver.home(of: running) == 2)
        driver.finishStep(of: 2)
        let request = driver.ask(output: output) { $0.prompt = Self.prompt(70) }
        #expect(driver.home(of: request) == home)
    }

    @Test func promptsThatArePendingAreLoad() {
        var driver = Self.driver { $0.stepRowCountMax = 8 }
        // Begun, and far from computed; it wants one token only.
        let long = driver.ask(output: 1) { $0.prompt = Self.prompt(200) }
        let requests = (0..<3).map { _ in driver.ask(prompt: 4, output: 8) }
        #expect(driver.home(of: long) == 1)
        #expect(requests.map { driver.home(of: $0) } == [2, 2, 2])
    }

    @Test func aWaitingRequestTakesWhateverComesFree() {
        var driver = Self.driver { $0.runningSequenceCountMax = 1 }
        let first = driver.ask(output: 50)
        let second = driver.ask(output: 1)
        let third = driver.ask(output: 1)
        #expect([first, second, third].map { driver.home(of: $0) } == [1, 2, nil])
        driver.finishStep(of: 2)
        #expect(driver.finish(of: second) != nil)
        #expect(driver.home(of: third) == 2)
    }

    /// Waiting for the replica that has the prefix may take long; computing it again does not.
    @Test func aFreeReplicaIsBetterThanAWaitForThePrefix() {
        var driver = Self.driver { $0.runningSequenceCountMax = 1 }
        let cached = driver.ask(output: 200) { $0.prompt = Self.prompt(70) }
        for _ in 0..<4 { driver.finishStep(of: 1) }
        let again = driver.ask(output: 1) { $0.prompt = Self.prompt(70) }
        #expect(driver.failure(of: cached) == nil && driver.home(of: again) == 2)
    }

    @Test func aFasterReplicaTakesMore() {
        var driver = CoordinatorDriver(
            CoordinatorDriver.settings {
                $0.replicaCount = 2
                $0.nodeCountMin = 2
            })
        for (index, speed) in [1e9, 3e9].enumerated() {
            tell(&driver, ClusterSimulation.description(index, Incarnation(1), speed: speed))
        }
        driver.prepareAll()
        let fast: UInt32 = driver.core.topology().pipelines[0].stages[0].node == CoordinatorDriver.node(1) ? 1 : 2
        let homes = (0..<8).map { _ in
            let request = driver.ask(output: 100)
            return driver.home(of: request)
        }
        #expect(homes.count { $0 == fast } == 6)
    }

    private func tell(_ driver: inout CoordinatorDriver, _ node: NodeDescription) {
        driver.tell(.nodeRegistered(node))
    }

    // MARK: Unequal pools

    private static let model = SimulatedModel(name: "m", layerCount: 4, contextLength: 4_096)

    private static func unequalDriver() -> CoordinatorDriver {
        var driver = CoordinatorDriver(
            CoordinatorDriver.settings {
                $0.replicaCount = 2
                $0.nodeCountMin = 1
                $0.runningSequenceCountMax = 1
                $0.kvTokenCountMax = 4_096
            }, models: [model])
        for (index, memory) in [UInt64(1_000_000), 45_700].enumerated() {
            var node = CoordinatorDriver.description(index)
            node.memoryLimitBytes = memory
            driver.tell(.nodeRegistered(node))
        }
        driver.prepareAll()
        return driver
    }

    @Test func whatIsTooLargeForOneReplicaGoesToAnother() {
        var driver = Self.unequalDriver()
        let blockCounts = driver.core.topology().pipelines.map(\.blockCount)
        #expect(blockCounts[0] == 128 && (64..<128).contains(blockCounts[1]))
        let large = (0..<2).map { _ in driver.ask(prompt: 3_000, output: 1) }
        #expect(large.map { driver.home(of: $0) } == [1, nil])
        driver.finishAllSteps()
        #expect(large.allSatisfy { driver.finish(of: $0) != nil })
    }

    @Test func whatNoReplicaHoldsAnyMoreIsRefused() {
        var driver = Self.unequalDriver()
        let running = driver.ask(prompt: 3_000, output: 1)
        let large = driver.ask(prompt: 3_000, output: 1)
        let small = driver.ask(prompt: 1_000, output: 3_000)
        driver.lose(0)
        #expect(driver.failure(of: running)?.kind == .interrupted)
        #expect(driver.failure(of: large)?.message.contains("has shrunk") == true)
        driver.finishAllSteps()
        let positionCount = driver.core.topology().pipelines[1].blockCount * BlockID.positionCount
        #expect(driver.finish(of: small)?.usage.outputTokenCount == positionCount - 1_000)
    }
}
