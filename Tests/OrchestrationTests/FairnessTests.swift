import ClusterSimulation
import Orchestration
import Testing
import Vocabulary

@Suite struct FairnessTests {
    @Test func aNewcomerWaitsForOneOfEachOther() {
        for seed in UInt64(1)...200 {
            var random = SeededRandom(seed: seed)
            var queue = FairQueue()
            var flows: [SequenceID: String] = [:]
            var next: UInt64 = 0
            func add(_ tenant: String, _ queue: inout FairQueue, cost: Int) -> SequenceID {
                next += 1
                flows[SequenceID(next)] = tenant
                queue.append(SequenceID(next), FairQueue.Flow(tenant: tenant, priority: 0), cost: cost)
                return SequenceID(next)
            }
            for _ in 0..<60 {
                let tenant = ["a", "b", "c"].randomElement(using: &random) ?? "a"
                _ = add(tenant, &queue, cost: Int.random(in: 0...50, using: &random))
                if random.chance(0.3) { queue.removeFirst() }
                if random.chance(0.3) {
                    queue.correct(
                        FairQueue.Flow(tenant: tenant, priority: 0), by: Int.random(in: -60...60, using: &random))
                }
            }
            let newcomer = add("new", &queue, cost: 1_000)
            for _ in 0..<20 { _ = add("a", &queue, cost: 1) }
            var passed: [String: Int] = [:]
            while let first = queue.first(), first != newcomer {
                passed[flows[first] ?? "", default: 0] += 1
                queue.removeFirst()
            }
            #expect(passed.values.allSatisfy { $0 <= 1 }, "seed \(seed): \(passed)")
        }
    }

    /// Shares of flows that always want more follow their priorities.
    @Test func prioritiesWeighShares() {
        var queue = FairQueue()
        var costs = [0, 0]
        for index in UInt64(0)..<400 {
            queue.append(SequenceID(2 * index), FairQueue.Flow(tenant: "t", priority: 0), cost: 10)
            queue.append(SequenceID(2 * index + 1), FairQueue.Flow(tenant: "t", priority: 2), cost: 10)
        }
        for _ in 0..<400 {
            costs[Int((queue.first()?.rawValue ?? 0) % 2)] += 10
            queue.removeFirst()
        }
        #expect(abs(costs[1] - 4 * costs[0]) <= 50)
    }

    @Test func whoLeavesIsForgotten() {
        var queue = FairQueue()
        for index in UInt64(1)...1_000 {
            queue.append(SequenceID(index), FairQueue.Flow(tenant: "t\(index)", priority: 0), cost: 5)
        }
        for index in UInt64(2)...1_000 { queue.remove(SequenceID(index)) }
        #expect(queue.count == 1 && queue.all == [SequenceID(1)] && queue.count(of: "t7") == 0)
        #expect(queue.first() == SequenceID(1))
        queue.removeFirst()
        #expect(queue.isEmpty && queue.first() == nil)
    }

    @Test func oneTenantCannotFillTheQueue() {
        var driver = CoordinatorDriver(nodeCount: 1) {
            $0.runningSequenceCountMax = 1
            $0.waitingRequestCountMax = 5
            $0.waitingRequestCountMaxPerTenant = 2
        }
        let greedy = (0..<5).map { _ in driver.ask { $0.tenant = "greedy" } }
        #expect(greedy.map { driver.failure(of: $0)?.kind } == [nil, nil, nil, .rateLimited, .rateLimited])
        #expect(driver.failure(of: greedy[4])?.retryAfterSeconds == 1)
        let others = (0..<4).map { index in driver.ask { $0.tenant = "other \(index)" } }
        #expect(others.map { driver.failure(of: $0)?.kind } == [nil, nil, nil, .overloaded])
        // Each of the others has its turn before the greedy one's second.
        var order: [RequestID] = []
        while let step = driver.finishStep() {
            for rows in step.sequences where rows.introduction != nil {
                order.append(RequestID(rows.sequence.rawValue))
            }
        }
        #expect(order == [greedy[0], others[0], others[1], others[2], greedy[1], greedy[2]])
    }

    @Test func timeLimitsHoldWaitingAndRunning() {
        var driver = CoordinatorDriver(nodeCount: 1) { $0.runningSequenceCountMax = 1 }
        let running = driver.ask(output: 100) { $0.timeLimit = .milliseconds(20) }
        let waiting = driver.ask(output: 100) { $0.timeLimit = .milliseconds(10) }
        let patient = driver.ask(output: 100)
        #expect(driver.core.nextDeadline == Instant(nanoseconds: 10_000_000))
        driver.now = Instant(nanoseconds: 10_000_000)
        driver.tell(.deadlinePassed)
        #expect(driver.failure(of: waiting)?.kind == .timedOut && driver.failure(of: running) == nil)
        driver.now = Instant(nanoseconds: 20_000_000)
        driver.tell(.deadlinePassed)
        #expect(driver.failure(of: running)?.kind == .timedOut)
        driver.finishAllSteps()
        #expect(driver.finish(of: patient)?.usage.outputTokenCount == 100)
        #expect(driver.core.topology().pipelines[0].freeBlockCount == 32)
    }

    @Test func absurdPrioritiesAreRefused() {
        var driver = CoordinatorDriver(nodeCount: 1)
        #expect(driver.refusal { $0.priority = 4 }?.kind == .invalid)
        #expect(driver.refusal { $0.priority = -3 } == nil)
    }
}
