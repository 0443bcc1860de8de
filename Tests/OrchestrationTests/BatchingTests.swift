import Orchestration
import Testing
import Vocabulary

@Suite struct BatchingTests {
    @Test func decodingSequencesAreSpreadOverTheStages() {
        var driver = CoordinatorDriver(nodeCount: 3) { $0.stepRowCountMax = 64 }
        for _ in 0..<12 { _ = driver.ask(prompt: 2, output: 100) }
        for _ in 0..<20 { driver.finishStep() }
        for _ in 0..<30 {
            #expect(driver.steps.count == 3)
            #expect(driver.steps.map(\.rowCount) == [4, 4, 4])
            driver.finishStep()
        }
    }

    @Test func oneStageDecodesAllAtOnce() {
        var driver = CoordinatorDriver(nodeCount: 1)
        for _ in 0..<8 { _ = driver.ask(prompt: 2, output: 100) }
        for _ in 0..<10 { driver.finishStep() }
        #expect(driver.steps.map(\.rowCount) == [8])
    }

    @Test func chunksOfOnePromptAreInFlightTogether() {
        var driver = CoordinatorDriver(nodeCount: 3) { $0.stepRowCountMax = 16 }
        _ = driver.ask(prompt: 100, output: 2)
        #expect(driver.steps.count == 4)
        #expect(driver.steps.map { $0.sequences[0].firstPosition } == [0, 16, 32, 48])
        #expect(driver.steps.allSatisfy { !$0.sequences[0].samples })
        #expect(driver.steps.map { $0.sequences[0].introduction != nil } == [true, false, false, false])
        // Block lists grow with the rows.
        #expect(driver.steps.map { $0.sequences[0].blocks.count } == [1, 0, 1, 0])
        #expect(driver.steps.map { $0.sequences[0].firstBlockIndex } == [0, 1, 1, 2])
    }

    @Test func shortPromptsAreSpreadOverTheStages() {
        var driver = CoordinatorDriver(nodeCount: 3)
        _ = driver.ask(prompt: 60, output: 2)
        #expect(driver.steps.map(\.rowCount) == [20, 20, 20])
    }

    @Test func decodeGoesOnBesideALongPrompt() {
        for budget in [1, 2, 3, 4, 8, 64] {
            var driver = CoordinatorDriver(nodeCount: 2) { $0.stepRowCountMax = budget }
            let short = (0..<3).map { _ in driver.ask(prompt: 1, output: 200) }
            for _ in 0..<10 { driver.finishStep() }
            let long = driver.ask(prompt: 200, output: 1)
            var decodedCount = 0
            var promptRowCount = 0
            for _ in 0..<40 {
                guard let step = driver.finishStep() else { break }
                #expect(step.rowCount <= budget)
                for rows in step.sequences {
                    if rows.sequence.rawValue == long.rawValue {
                        promptRowCount += rows.tokens.count
                    } else {
                        decodedCount += 1
                    }
                }
            }
            #expect(decodedCount >= 10, "budget \(budget)")
            #expect(promptRowCount >= 10, "budget \(budget)")
            #expect(short.allSatisfy { driver.failure(of: $0) == nil })
        }
    }

    @Test func promptsGoOnBesideManyDecodingSequences() {
        var driver = CoordinatorDriver(nodeCount: 1) {
            $0.stepRowCountMax = 8
            $0.kvTokenCountMax = 30_000
        }
        for _ in 0..<30 { _ = driver.ask(prompt: 1, output: 200) }
        for _ in 0..<60 { driver.finishStep() }
        let late = driver.ask(prompt: 20, output: 1)
        var count = 0
        while driver.finish(of: late) == nil, count < 40 {
            driver.finishStep()
            count += 1
        }
        #expect(count < 20)
    }

    @Test func endedSequencesAreToldWithTheNextStep() throws {
        var driver = CoordinatorDriver(nodeCount: 1)
        let first = driver.ask(prompt: 2, output: 1)
        driver.finishStep()
        #expect(driver.finish(of: first) != nil && driver.steps.isEmpty)
        _ = driver.ask()
        #expect(driver.steps.first?.ended == [SequenceID(first.rawValue)])
        driver.finishStep()
        #expect(driver.steps.first?.ended == [])
    }

    @Test func cancellingFreesBlocksWhenTheStepsHavePassed() {
        var driver = CoordinatorDriver(nodeCount: 2) { $0.stepRowCountMax = 16 }
        let request = driver.ask(prompt: 100, output: 5)
        let blockCount = driver.core.topology().pipelines[0].blockCount
        driver.tell(.requestCancelled(request))
        #expect(driver.failure(of: request)?.kind == .cancelled)
        #expect(driver.core.topology().pipelines[0].freeBlockCount == blockCount - 4)
        driver.finishAllSteps()
        #expect(driver.core.topology().pipelines[0].freeBlockCount == blockCount)
        #expect(driver.tokens(of: request) == [])
        #expect(driver.tell(.requestCancelled(request)).isEmpty)
    }

    @Test func theYoungestMakesRoomAndIsComputedAgain() throws {
        // Four blocks: two sequences of 31 tokens grow until only one fits.
        var driver = CoordinatorDriver(nodeCount: 1) { $0.kvTokenCountMax = 128 }
        let old = driver.ask(prompt: 31, output: 60)
        let young = driver.ask(prompt: 31, output: 60) { $0.reusesPrefix = false }
        var replay: SequenceRows?
        while let step = driver.finishStep() {
            let rows = step.sequences.first { $0.sequence.rawValue == young.rawValue }
            if let rows, rows.introduction != nil, rows.tokens.count > 31 { replay = rows }
        }
        #expect(driver.finish(of: old)?.usage.outputTokenCount == 60)
        #expect(driver.finish(of: young)?.usage.outputTokenCount == 60)
        // Its output so far is computed again from position 0; the prompt is still the original.
        let again = try #require(replay)
        #expect(again.firstPosition == 0 && again.samples && again.introduction?.promptTokenCount == 31)
        #expect(driver.core.topology().pipelines[0].freeBlockCount == 4)
    }
}
