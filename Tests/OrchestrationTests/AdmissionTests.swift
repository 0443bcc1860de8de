import Orchestration
import Testing
import Vocabulary

@Suite struct AdmissionTests {
    private func failure(
        prompt: Int = 4, output: Int? = 4, _ change: (inout GenerationRequest) -> Void = { _ in }
    ) -> GenerationFailure? {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask(prompt: prompt, output: output, change)
        #expect(driver.steps.isEmpty == (driver.failure(of: request) != nil))
        #expect(driver.failure(of: request) == nil || driver.events[request]?.count == 1)
        return driver.failure(of: request)
    }

    @Test func refusesWhatCanNeverFit() {
        #expect(failure()?.kind == nil)
        #expect(failure { $0.model = "other" }?.kind == .unknownModel)
        #expect(failure(prompt: 0)?.kind == .invalid)
        #expect(failure { $0.prompt[2] = 97 }?.message.contains("token 97 at position 2") == true)
        #expect(failure { $0.prompt[2] = -1 }?.kind == .invalid)
        #expect(failure(prompt: 256)?.kind == .invalid)
        #expect(failure(prompt: 255)?.kind == nil)
        #expect(failure(output: -1)?.kind == .invalid)
        #expect(failure { $0.outputTokenCountMin = -1 }?.kind == .invalid)
        #expect(failure { $0.outputTokenCountMin = 5 }?.kind == .invalid)
        #expect(failure(prompt: 200, output: nil) { $0.outputTokenCountMin = 57 }?.kind == .invalid)
        #expect(failure(prompt: 200, output: nil) { $0.outputTokenCountMin = 56 }?.kind == nil)
        #expect(failure(prompt: 200, output: .max) { $0.outputTokenCountMin = .max }?.kind == .invalid)
    }

    @Test func anAbsurdLongestOutputIsTheContext() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask(prompt: 200, output: .max)
        driver.finishAllSteps()
        #expect(driver.finish(of: request)?.reason == .length)
        #expect(driver.finish(of: request)?.usage.outputTokenCount == 56)
    }

    @Test func aPoolSmallerThanTheContextIsTheLimit() {
        var driver = CoordinatorDriver(nodeCount: 1) { $0.kvTokenCountMax = 64 }
        #expect(driver.refusal(prompt: 64)?.message.contains("KV pool") == true)
        let request = driver.ask(prompt: 60, output: nil)
        driver.finishAllSteps()
        #expect(driver.finish(of: request)?.usage.outputTokenCount == 4)
    }

    @Test func aShorterContextCanBeServed() {
        var driver = CoordinatorDriver(nodeCount: 1) { $0.contextTokenCountMax = 100 }
        #expect(driver.refusal(prompt: 100)?.kind == .invalid)
        #expect(driver.refusal(prompt: 99) == nil)
    }

    @Test func unavailableUntilThePipelineRuns() {
        var driver = CoordinatorDriver()
        #expect(driver.refusal()?.kind == .unavailable)
        // What can never be served is said even then.
        #expect(driver.refusal(prompt: 0)?.kind == .invalid)
        driver.register(0)
        #expect(driver.refusal()?.kind == .unavailable)
        #expect(driver.core.unreadyReason() == "model m: loading: 0 of 1 stages are ready")
        driver.prepareAll()
        #expect(driver.core.unreadyReason() == nil)
        #expect(driver.refusal() == nil)
    }

    @Test func queueIsBounded() {
        var driver = CoordinatorDriver(nodeCount: 1) {
            $0.runningSequenceCountMax = 1
            $0.waitingRequestCountMax = 2
        }
        let requests = (0..<4).map { _ in driver.ask() }
        #expect(requests.map { driver.failure(of: $0)?.kind } == [nil, nil, nil, .overloaded])
        driver.finishAllSteps()
        #expect(requests.prefix(3).allSatisfy { driver.finish(of: $0)?.reason == .length })
    }

    @Test func aRequestWithoutWorkEndsAtOnce() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask(output: 0)
        #expect(driver.steps.isEmpty)
        #expect(driver.finish(of: request)?.reason == .length)
        let scored = driver.ask(output: 0) { $0.scoresPrompt = true }
        driver.finishAllSteps()
        #expect(driver.events[scored]?.count == 3)
        #expect(driver.finish(of: scored)?.usage.outputTokenCount == 0)
    }

    @Test func requestNumbersMustGrow() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask()
        driver.nextRequest = request.rawValue
        let before = driver.events
        _ = driver.ask()
        #expect(driver.events == before)
    }
}
