import Models
import Tensors
import Vocabulary

/// What one head row gives.
struct HeadRowResult {
    var scored: TokenScore?
    var sampled: TokenScore?
    var isNotFinite = false
}

extension StageRunner {
    /// Logits of the head rows, piece by piece, and what they are for.
    ///
    /// - Parameter hidden: (head rows, hiddenSize)
    func runHead(_ hidden: UnsafeMutablePointer<Float>, step: Step) {
        guard let norm = weights.headNorm, let head = weights.head else { return }
        let model = weights.description
        var lastSequenceIndex: Int?
        for first in stride(from: 0, to: plan.headRows.count, by: workspace.headRowCountMax) {
            let rowCount = min(workspace.headRowCountMax, plan.headRows.count - first)
            context.normalize(
                hidden + first * model.hiddenSize, rows: rowCount, weight: norm.values, epsilon: model.normEpsilon,
                into: workspace.hiddenActivations)
            context.multiply(
                workspace.hiddenActivations, Product(head, into: workspace.logits, stride: workspace.logitStride))
            evaluate(first..<first + rowCount, step: step)
            for (index, row) in plan.headRows[first..<first + rowCount].enumerated() {
                if row.sequenceIndex != lastSequenceIndex {
                    outputs.append(SequenceOutput(sequence: step.sequences[row.sequenceIndex].sequence))
                    lastSequenceIndex = row.sequenceIndex
                }
                Self.add(rowResults[index], to: &outputs[outputs.count - 1])
            }
        }
    }

    /// Scores and samples rows whose logits are there, one tile a row.
    private func evaluate(_ headRows: Range<Int>, step: Step) {
        rowResults.withUnsafeMutableBufferPointer { results in
            withUnsafePointer(to: step) { step in
                guard let results = results.baseAddress else { return }
                context.run(
                    EvaluationJob(
                        runner: .passUnretained(self), step: step, firstRow: headRows.lowerBound, results: results),
                    tileCount: headRows.count)
            }
        }
    }

    private struct EvaluationJob: TileJob {
        let runner: Unmanaged<StageRunner>
        let step: UnsafePointer<Step>
        let firstRow: Int
        let results: UnsafeMutablePointer<HeadRowResult>

        func runTile(_ index: Int) {
            runner._withUnsafeGuaranteedRef { runner in
                let row = runner.plan.headRows[firstRow + index]
                let workspace = runner.workspace
                results[index] = runner.result(
                    of: row, rows: step.pointee.sequences[row.sequenceIndex],
                    logits: workspace.logits + index * workspace.logitStride, scratch: workspace.scratches[index])
            }
        }
    }

    private func result(
        of row: HeadRow, rows: SequenceRows, logits: UnsafeMutablePointer<Float>, scratch: SamplerScratch
    ) -> HeadRowResult {
        var result = HeadRowResult()
        let count = weights.description.vocabularySize
        guard let history = history(of: rows.sequence), LogitScan.areFinite(logits, count: count) else {
            result.isNotFinite = true
            return result
        }
        let topCount = history.sampling.topLogprobCount.map {
            min(max($0, 0), SamplingParameters.topLogprobCountMax)
        }
        let wantsLogprobs = topCount != nil || row.scoredToken != nil
        let logSumExp = wantsLogprobs ? context.logSumExp(logits, count: count).logSumExp : 0
        let top = LogitScan.top(topCount ?? 0, of: logits, count: count) { $0 - logSumExp }
        if let token = row.scoredToken {
            result.scored = TokenScore(
                token: token, position: row.position, logprob: logits[Int(token)] - logSumExp, top: top)
        }
        if row.samples {
            let token = Sampler.choose(
                logits: logits, history: history, suppressed: rows.suppressesEnd ? endTokens : [],
                position: row.position, scratch: scratch)
            result.sampled = TokenScore(
                token: token, position: row.position,
                logprob: topCount == nil ? 0 : logits[Int(token)] - logSumExp, top: top)
        }
        return result
    }

    /// A sequence with a logit that is not finite reports nothing else.
    private static func add(_ result: HeadRowResult, to output: inout SequenceOutput) {
        if result.isNotFinite || output.isNotFinite {
            output = SequenceOutput(sequence: output.sequence, isNotFinite: true)
            return
        }
        if let scored = result.scored { output.scored.append(scored) }
        if let sampled = result.sampled { output.sampled = sampled }
    }
}
