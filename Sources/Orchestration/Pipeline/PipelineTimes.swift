/// The measured times of a pipeline's stages, and what follows from them for its steps.
package struct PipelineTimes: Sendable {
    package private(set) var stages: [StageTimes]
    /// On the way between coordinator and stages.
    package private(set) var travelSeconds = 0.0

    /// Before so many steps are seen, nothing follows.
    private static let sampleCountMin = 8
    /// Beside prompts, decoding may take so many times as long as alone. A little under what is promised (2), for
    /// steps that take longer than expected.
    private static let slowdownMax = 1.7
    /// A prompt goes on by at least so many rows a step, whatever the others feel of it.
    private static let promptRowCountMin = 4

    package init(stageCount: Int) { stages = Array(repeating: StageTimes(), count: stageCount) }

    package var isKnown: Bool { stages.allSatisfy { $0.sampleCount >= Self.sampleCountMin } }

    /// - Parameters:
    ///   - stageSeconds: for each stage.
    ///   - waitedSeconds: how long the step waited at all stages together.
    ///   - elapsedSeconds: from the step's start to its result.
    package mutating func add(
        promptRowCount: Int, decodeRowCount: Int, stageSeconds: [Double], waitedSeconds: Double, elapsedSeconds: Double
    ) {
        // A step cannot have been at the stages for longer than it was under way.
        let heldSeconds = stageSeconds.reduce(waitedSeconds, +)
        guard stageSeconds.count == stages.count, heldSeconds <= elapsedSeconds else { return }
        for (index, seconds) in stageSeconds.enumerated() {
            stages[index].add(promptRowCount: promptRowCount, decodeRowCount: decodeRowCount, seconds: seconds)
        }
        let travelled = elapsedSeconds - heldSeconds
        travelSeconds = stages[0].sampleCount == 1 ? travelled : travelSeconds * 0.95 + travelled * 0.05
    }

    /// A step through all stages that waits nowhere.
    package func passSeconds(promptRowCount: Int, decodeRowCount: Int) -> Double {
        stages.reduce(travelSeconds) {
            $0 + $1.seconds(promptRowCount: promptRowCount, decodeRowCount: decodeRowCount)
        }
    }

    /// The slowest stage's time.
    package func slowestSeconds(promptRowCount: Int, decodeRowCount: Int) -> Double {
        stages.reduce(0) { max($0, $1.seconds(promptRowCount: promptRowCount, decodeRowCount: decodeRowCount)) }
    }

    /// The time from one token of a sequence to its next, when all decode rows are dealt out over so many steps.
    package func cycleSeconds(decodeRowCount: Int, stepCount: Int) -> Double {
        let rowCount = (decodeRowCount + stepCount - 1) / stepCount
        return max(
            passSeconds(promptRowCount: 0, decodeRowCount: rowCount),
            Double(stepCount) * slowestSeconds(promptRowCount: 0, decodeRowCount: rowCount))
    }

    /// Over how many steps decode rows are dealt out: few steps read the weights seldom, enough of them keep every
    /// stage at work. The number that gives each sequence its tokens the fastest.
    package func decodeStepCount(decodeRowCount: Int) -> Int {
        guard isKnown, decodeRowCount > 0 else { return max(1, stages.count) }
        var best = (count: 1, seconds: cycleSeconds(decodeRowCount: decodeRowCount, stepCount: 1))
        for count in 1...min(stages.count + 1, decodeRowCount) where count > 1 {
            let seconds = cycleSeconds(decodeRowCount: decodeRowCount, stepCount: count)
            if seconds < best.seconds * 0.99 { best = (count, seconds) }
        }
        return best.count
    }

    /// Steps in flight beside which no stage idles, when decode rows are among them.
    package func fillingStepCount(decodeRowCount: Int, decodeStepCount: Int) -> Int {
        guard isKnown else { return stages.count + 1 }
        let rowCount = (decodeRowCount + decodeStepCount - 1) / decodeStepCount
        let slowest = slowestSeconds(promptRowCount: 0, decodeRowCount: rowCount)
        guard slowest > 0 else { return stages.count + 1 }
        let filling = passSeconds(promptRowCount: 0, decodeRowCount: rowCount) / slowest
        return max(decodeStepCount, min(stages.count + 1, max(1, Int(filling.rounded()))))
    }

    /// How long a step may take beside prompts, so that no sequence waits much longer for its next token than without;
    /// nil while nothing is known.
    ///
    /// - Parameters:
    ///   - decodeStepCount: the steps over which all decode rows are dealt out.
    ///   - stepCount: the steps in flight.
    package func stepSeconds(decodeRowCount: Int, decodeStepCount: Int, stepCount: Int) -> Double? {
        guard isKnown, decodeRowCount > 0 else { return nil }
        let cycle = cycleSeconds(decodeRowCount: decodeRowCount, stepCount: decodeStepCount)
        return Self.slowdownMax * cycle / Double(max(1, stepCount))
    }

    /// How many prompt rows fit into that time beside a step's decode rows.
    package func promptRowCount(in stepSeconds: Double, besideDecodeRows decodeRowCount: Int) -> Int {
        var most = Int(Int32.max)
        for stage in stages where stage.secondsPerPromptRow > 0 {
            let left = stepSeconds - stage.seconds(promptRowCount: 0, decodeRowCount: decodeRowCount)
            let rows = max(0, left / stage.secondsPerPromptRow)
            if rows < Double(most) { most = Int(rows) }
        }
        return max(Self.promptRowCountMin, most)
    }
}
