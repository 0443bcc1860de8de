import ClusterSimulation
import Orchestration
import Testing
import Vocabulary

@Suite struct FormingTests {
    @Test func waitsForItsNodesAndPreparesTheLastStageFirst() {
        var driver = CoordinatorDriver(CoordinatorDriver.settings { $0.nodeCountMin = 3 })
        driver.register(2)
        driver.register(0)
        #expect(driver.drainPrepares().isEmpty)
        #expect(driver.core.unreadyReason() == "model m: waiting for nodes: 2 of 3 are connected")
        driver.register(1)
        let prepares = driver.drainPrepares()
        #expect(prepares.map(\.0) == [2, 1, 0].map(CoordinatorDriver.node))
        #expect(prepares.map(\.1.stageIndex) == [2, 1, 0])
        #expect(prepares.map(\.1.next?.node) == [nil, CoordinatorDriver.node(2), CoordinatorDriver.node(1)])
        #expect(prepares.map(\.1.previous) == [CoordinatorDriver.node(1), CoordinatorDriver.node(0), nil])
        #expect(driver.core.topology().pipelines[0].state == "loading")
        for (node, assignment) in prepares {
            #expect(driver.core.topology().pipelines[0].state == "loading")
            driver.tell(.stagePrepared(node, assignment.pipeline, assignment.epoch, CoordinatorDriver.term))
        }
        #expect(driver.core.topology().pipelines[0].state == "running")
        #expect(driver.core.topology().nodes.map(\.description.node) == [0, 1, 2].map(CoordinatorDriver.node))
    }

    @Test func memoryMustSuffice() {
        var driver = CoordinatorDriver(CoordinatorDriver.settings())
        var poor = CoordinatorDriver.description(0)
        poor.memoryLimitBytes = 1000
        driver.tell(.nodeRegistered(poor))
        #expect(driver.drainPrepares().isEmpty)
        #expect(driver.core.unreadyReason()?.contains("may use 900 bytes") == true)
        driver.register(1)
        #expect(driver.drainPrepares().count == 1)
    }

    @Test func aFailedStageIsTriedAgainUnderTheNextEpoch() {
        var driver = CoordinatorDriver()
        driver.register(0)
        let first = driver.drainPrepares()[0].1
        driver.tell(
            .stageFailed(
                CoordinatorDriver.node(0), first.pipeline, first.epoch, CoordinatorDriver.term, reason: "no file"))
        #expect(driver.core.unreadyReason()?.contains("no file") == true)
        #expect(driver.core.nextDeadline == Instant(nanoseconds: 5_000_000_000))
        driver.now = Instant(nanoseconds: 5_000_000_000)
        driver.tell(.deadlinePassed)
        let second = driver.drainPrepares()[0].1
        #expect(second.epoch == first.epoch.next)
        // A late word about the old epoch changes nothing.
        driver.tell(.stagePrepared(CoordinatorDriver.node(0), first.pipeline, first.epoch, CoordinatorDriver.term))
        #expect(driver.core.unreadyReason() != nil)
    }

    @Test func loadingHasADeadlineThatProgressPutsOff() {
        var driver = CoordinatorDriver(CoordinatorDriver.settings { $0.prepareDeadline = .seconds(10) })
        driver.register(0)
        let assignment = driver.drainPrepares()[0].1
        driver.now = Instant(nanoseconds: 9_000_000_000)
        driver.tell(
            .stageProgressed(
                CoordinatorDriver.node(0), assignment.pipeline, assignment.epoch, CoordinatorDriver.term, doneBytes: 1,
                totalBytes: 2))
        driver.now = Instant(nanoseconds: 12_000_000_000)
        driver.tell(.deadlinePassed)
        #expect(driver.core.unreadyReason() == "model m: loading: 0 of 1 stages are ready")
        driver.now = Instant(nanoseconds: 19_000_000_000)
        driver.tell(.deadlinePassed)
        #expect(driver.core.unreadyReason()?.contains("no sign of loading from node-0") == true)
    }

    @Test func aLostNodeEndsWhatRunsAndItsReturnGoesOn() {
        var driver = CoordinatorDriver(nodeCount: 2) { $0.runningSequenceCountMax = 1 }
        let begun = driver.ask()
        let waiting = driver.ask()
        let before = driver.core.topology().pipelines[0]
        driver.lose(1)
        #expect(driver.failure(of: begun)?.kind == .interrupted)
        #expect(driver.failure(of: begun)?.message.contains("node-1") == true)
        #expect(driver.failure(of: waiting) == nil)
        #expect(driver.refusal()?.kind == .unavailable)
        #expect(driver.core.topology().nodes.map(\.isConnected) == [true, false])

        driver.register(1, incarnation: 2)
        driver.prepareAll()
        let after = driver.core.topology().pipelines[0]
        #expect(after.state == "running" && after.epoch == before.epoch.next)
        #expect(after.stages.map(\.units) == before.stages.map(\.units))
        driver.finishAllSteps()
        #expect(driver.finish(of: waiting)?.reason == .length)
    }

    @Test func waitingRequestsAreNotHeldForever() {
        var driver = CoordinatorDriver(nodeCount: 1) {
            $0.runningSequenceCountMax = 1
            $0.waitingDeadline = .seconds(30)
        }
        _ = driver.ask()
        let waiting = driver.ask()
        driver.lose(0)
        #expect(driver.core.nextDeadline == Instant(nanoseconds: 30_000_000_000))
        driver.now = Instant(nanoseconds: 30_000_000_000)
        driver.tell(.deadlinePassed)
        #expect(driver.failure(of: waiting)?.kind == .unavailable)
        #expect(driver.core.nextDeadline == nil)
    }

    @Test func anotherNodeTakesOverAndTheStrayIsReleased() {
        var driver = CoordinatorDriver(CoordinatorDriver.settings { $0.nodeCountMin = 2 })
        for index in 0..<2 { driver.register(index) }
        driver.prepareAll()
        driver.register(2)
        #expect(driver.drainPrepares().isEmpty)
        driver.lose(1)
        #expect(driver.drainPrepares().map(\.0) == [2, 0].map(CoordinatorDriver.node))
        // It only was cut off: it still holds the stage.
        let commands = driver.tell(.nodeRegistered(CoordinatorDriver.description(1)))
        #expect(commands.contains(.release(CoordinatorDriver.node(1), PipelineID(1), Epoch(2))))
        #expect(
            !driver.tell(.nodeRegistered(CoordinatorDriver.description(1))).contains {
                if case .release = $0 { true } else { false }
            })
    }

    @Test func aNewIncarnationReplacesTheOld() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask()
        driver.register(0, incarnation: 2)
        #expect(driver.failure(of: request)?.kind == .interrupted)
        #expect(driver.drainPrepares().map(\.1.epoch) == [Epoch(2)])
        // The old one's loss comes late.
        driver.lose(0, incarnation: 1)
        #expect(driver.core.topology().nodes[0].isConnected)
    }

    @Test func registeringAgainIsHarmless() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask()
        driver.register(0)
        driver.finishAllSteps()
        #expect(driver.finish(of: request) != nil)
    }

    @Test func stepsHaveADeadline() {
        var driver = CoordinatorDriver(nodeCount: 1) { $0.stepDeadline = .seconds(2) }
        #expect(driver.core.nextDeadline == nil)
        let request = driver.ask(output: 50)
        driver.now = Instant(nanoseconds: 1_000_000_000)
        driver.finishStep()
        #expect(driver.core.nextDeadline == Instant(nanoseconds: 3_000_000_000))
        driver.now = Instant(nanoseconds: 3_000_000_000)
        driver.tell(.deadlinePassed)
        #expect(driver.failure(of: request)?.message.contains("step 2 had no result within 2.0 s") == true)
        #expect(driver.drainPrepares().map(\.1.epoch) == [Epoch(2)])
    }

    @Test func aFailedStepEndsTheEpoch() throws {
        var driver = CoordinatorDriver(nodeCount: 2)
        let request = driver.ask()
        let step = try #require(driver.steps.first)
        driver.tell(
            .stepFailed(
                CoordinatorDriver.node(0), step.pipeline, step.epoch, step.number, CoordinatorDriver.term, reason: "hot"
            ))
        #expect(driver.failure(of: request)?.message.contains("failed on node node-0: hot") == true)
        #expect(driver.drainPrepares().count == 2)
    }

    @Test func staleAndStrangeResultsAreIgnored() throws {
        var driver = CoordinatorDriver(nodeCount: 2) { $0.stepRowCountMax = 16 }
        let request = driver.ask(prompt: 60, output: 1)
        #expect(driver.steps.count == 3)
        let steps = driver.steps
        let right = CoordinatorDriver.result(of: steps[0], token: 20)
        var stale = right
        stale.epoch = Epoch(0)
        var unknown = right
        unknown.number = StepNumber(99)
        let (last, term) = (driver.lastNode, CoordinatorDriver.term)
        driver.tell(.stepFinished(CoordinatorDriver.node(0), right, term))
        driver.tell(.stepFinished(last, stale, term))
        driver.tell(.stepFinished(last, unknown, term))
        driver.tell(.stepFinished(last, CoordinatorDriver.result(of: steps[1], token: 20), term))
        driver.tell(.stepFinished(last, right, Term(1)))
        #expect(driver.core.audits[0].stepsInFlight == 3)
        driver.finishAllSteps()
        #expect(driver.finish(of: request) != nil)
    }

    @Test func aWrongResultEndsTheEpoch() throws {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask()
        var result = CoordinatorDriver.result(of: try #require(driver.steps.first), token: 20)
        result.outputs = []
        driver.tell(.stepFinished(driver.lastNode, result, CoordinatorDriver.term))
        #expect(driver.failure(of: request)?.message.contains("0 outputs, 1 are due") == true)
    }

    @Test func severalModelsShareTheNodes() {
        var second = CoordinatorDriver.model.profile
        second.name = "second"
        var core = CoordinatorCore(
            settings: CoordinatorDriver.settings(), term: CoordinatorDriver.term,
            models: [CoordinatorDriver.model.profile, second], texts: [:])
        let commands = core.handle(.nodeRegistered(CoordinatorDriver.description(0)), at: Instant(nanoseconds: 0))
        let prepared = commands.compactMap { command in
            if case .prepare(_, let assignment) = command { assignment.model } else { nil }
        }
        #expect(prepared == ["m", "second"])
        #expect(core.topology().pipelines.map(\.pipeline) == [PipelineID(1), PipelineID(2)])
    }
}
