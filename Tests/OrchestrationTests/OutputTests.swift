import Orchestration
import Testing
import Vocabulary

@Suite struct OutputTests {
    @Test func theEndTokenIsReportedWithoutText() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask { $0.ignoresEnd = false }
        driver.finishStep(token: 20)
        driver.finishStep(token: 0)
        #expect(driver.tokens(of: request) == [20, 0])
        #expect(driver.text(of: request) == "a")
        #expect(driver.finish(of: request)?.reason == .stop)
        #expect(driver.finish(of: request)?.usage.outputTokenCount == 2)
    }

    @Test func theEndTokenCanBeIgnored() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask(output: 2)
        driver.finishStep(token: 0)
        driver.finishStep(token: 20)
        #expect(driver.tokens(of: request) == [0, 20])
        #expect(driver.finish(of: request)?.reason == .length)
    }

    @Test func endTokensAreSuppressedUpToTheShortestOutput() {
        var driver = CoordinatorDriver(nodeCount: 1)
        _ = driver.ask { $0.outputTokenCountMin = 2 }
        #expect(driver.finishStep()?.sequences[0].suppressesEnd == true)
        #expect(driver.finishStep()?.sequences[0].suppressesEnd == true)
        #expect(driver.finishStep()?.sequences[0].suppressesEnd == false)
    }

    @Test func stopStringsEndTheText() {
        // Token 20 + n is the letter a + n.
        for includes in [false, true] {
            var driver = CoordinatorDriver(nodeCount: 1)
            let request = driver.ask(output: 10) {
                $0.stopStrings = ["bc"]
                $0.includesStopString = includes
            }
            for token in [20, 21, 21, 22] as [TokenID] { driver.finishStep(token: token) }
            #expect(driver.text(of: request) == (includes ? "abbc" : "ab"))
            #expect(driver.tokens(of: request).count == 4)
            #expect(driver.finish(of: request)?.reason == .stop)
            // Held back until it was clear.
            #expect(driver.events[request]?[2] == .output(text: "", tokens: [TokenScore(token: 21, position: 5)]))
        }
    }

    @Test func stopStringsCountFromTheShortestOutputOn() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask(output: 10) {
            $0.stopStrings = ["a"]
            $0.outputTokenCountMin = 3
        }
        driver.finishStep()
        driver.finishStep()
        #expect(driver.finish(of: request) == nil)
        driver.finishStep()
        #expect(driver.finish(of: request)?.reason == .stop)
        #expect(driver.text(of: request) == "aa")
    }

    @Test func charactersAreWhole() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask(output: 3)
        for token in [1, 9, 1] as [TokenID] { driver.finishStep(token: token) }
        let texts = (driver.events[request] ?? []).compactMap { event in
            if case .output(let text, _) = event { text } else { nil }
        }
        #expect(texts == ["", "\u{E9}", "\u{FFFD}"])
    }

    @Test func promptScoresComeOnceAndWhole() {
        var driver = CoordinatorDriver(nodeCount: 1) { $0.stepRowCountMax = 3 }
        let request = driver.ask(prompt: 8, output: 1) { $0.scoresPrompt = true }
        driver.finishAllSteps()
        let scores = (driver.events[request] ?? []).compactMap { event in
            if case .promptScored(let scores) = event { scores } else { nil }
        }
        #expect(scores.map { $0.map(\.position) } == [Array(1...7)])
        let single = driver.ask(prompt: 1, output: 1) { $0.scoresPrompt = true }
        driver.finishAllSteps()
        #expect(driver.events[single]?[1] == .promptScored([]))
    }

    @Test func logitsThatAreNotFiniteFailOneRequest() throws {
        var driver = CoordinatorDriver(nodeCount: 1)
        let bad = driver.ask(output: 50)
        let good = driver.ask(output: 50)
        while let step = driver.steps.first, step.sequences.count < 2 { driver.finishStep() }
        let step = try #require(driver.steps.first)
        var result = CoordinatorDriver.result(of: step, token: 20)
        let index = try #require(result.outputs.firstIndex { $0.sequence.rawValue == bad.rawValue })
        result.outputs[index].isNotFinite = true
        driver.tell(.stepFinished(driver.lastNode, result, CoordinatorDriver.term))
        #expect(driver.failure(of: bad)?.kind == .interrupted)
        #expect(driver.failure(of: good) == nil)
    }

    @Test func timesAreThoseOfPromptAndOutput() {
        var driver = CoordinatorDriver(nodeCount: 1)
        let request = driver.ask(output: 3)
        for milliseconds in [30, 40, 50] as [UInt64] {
            driver.now = Instant(nanoseconds: milliseconds * 1_000_000)
            driver.finishStep()
        }
        #expect(driver.finish(of: request)?.usage.promptSeconds == 0.03)
        #expect(driver.finish(of: request)?.usage.outputSeconds == 0.02)
    }
}
