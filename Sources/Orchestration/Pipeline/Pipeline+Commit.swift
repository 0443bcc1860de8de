import DequeModule
import Vocabulary

/// What comes back of a step.
extension Pipeline {
    mutating func stepFinished(_ node: NodeID, _ result: StepResult, at now: Instant) {
        guard isRunning, result.epoch == epoch else {
            note(.debug, "ignored a result of step \(result.number) of epoch \(result.epoch) from \(node)")
            return
        }
        guard let last = plan?.stages.last, last.node == node else {
            note(.warning, "ignored a result of step \(result.number) from \(node), which is not the last stage")
            return
        }
        guard let step = inFlight.first, step.number == result.number else {
            note(.warning, "ignored a result of step \(result.number): it is not the one that is due")
            return
        }
        if let flaw = flaw(of: result, for: step) {
            endEpoch("node \(node) gave a wrong result of step \(step.number): \(flaw)")
            return
        }
        inFlight.removeFirst()
        oldestSince = now
        promptRowsInFlight -= step.promptRowCount
        if step.decodeRowCount > 0 { decodeStepsInFlight -= 1 }
        times.add(
            promptRowCount: step.promptRowCount, decodeRowCount: step.decodeRowCount,
            stageSeconds: result.stageNanoseconds.map { Double($0) / 1e9 },
            waitedSeconds: Double(result.waitedNanoseconds) / 1e9, elapsedSeconds: (now - step.since).seconds)
        pool.stepFinished(step.number)
        var outputs = result.outputs[...]
        for rows in step.rows {
            let output = rows.samples || rows.scoreCount > 0 ? outputs.popFirst() : nil
            commit(rows, output, at: now)
        }
        needsScheduling = true
    }

    /// The result must have an output for exactly those sequences that sample or score.
    private func flaw(of result: StepResult, for step: StepInFlight) -> String? {
        let expected = step.rows.filter { $0.samples || $0.scoreCount > 0 }
        guard expected.count == result.outputs.count else {
            return "\(result.outputs.count) outputs, \(expected.count) are due"
        }
        for (rows, output) in zip(expected, result.outputs) {
            guard rows.id == output.sequence else {
                return "an output of sequence \(output.sequence), that of \(rows.id) is due"
            }
            if output.isNotFinite { continue }
            guard output.scored.count == rows.scoreCount else {
                return "\(output.scored.count) scores of sequence \(rows.id), \(rows.scoreCount) are due"
            }
            guard (output.sampled != nil) == rows.samples else {
                return rows.samples ? "no token of sequence \(rows.id)" : "a token of sequence \(rows.id) too many"
            }
            if let token = output.sampled?.token, token < 0 || Int(token) >= model.vocabularySize {
                return "token \(token) of sequence \(rows.id) is outside the vocabulary"
            }
        }
        return nil
    }

    private mutating func commit(_ rows: StepInFlight.Rows, _ output: SequenceOutput?, at now: Instant) {
        // Ended, cancelled or preempted meanwhile.
        guard sequences[rows.id]?.run == rows.run else { return }
        if let output, output.isNotFinite {
            let message = "the model gave logits that are not finite: its file may be damaged"
            end(rows.id, .failed(GenerationFailure(.interrupted, message)))
            return
        }
        let committedCount = rows.firstPosition + rows.rowCount
        sequences[rows.id]?.committedCount = committedCount
        seal(rows.id, committedCount)
        if let output, rows.scoreCount > 0 { commit(scores: output.scored, of: rows) }
        if let sampled = output?.sampled {
            commit(sampled, of: rows.id, at: now)
        } else if let sequence = sequences[rows.id], committedCount == sequence.tokens.count {
            // Nothing was to be sampled.
            end(rows.id, .finished(.length, sequence.usage(at: now)))
        }
    }

    /// Lets others share the blocks that have become full.
    private mutating func seal(_ id: SequenceID, _ committedCount: Int) {
        let fullCount = committedCount / BlockID.positionCount
        guard var sequence = sequences[id], sequence.sealedBlockCount < fullCount else { return }
        sequences[id] = nil
        sequence.chain.extend(over: sequence.tokens, blockCount: fullCount)
        for index in sequence.sealedBlockCount..<min(fullCount, sequence.chain.names.count) {
            pool.seal(sequence.blocks[index], as: sequence.chain.names[index])
        }
        sequence.sealedBlockCount = fullCount
        sequences[id] = sequence
    }

    /// A sequence that was preempted amid its prompt gives some of its scores again: these are the same.
    private mutating func commit(scores: [TokenScore], of rows: StepInFlight.Rows) {
        guard let earlierCount = sequences[rows.id]?.promptScores.count else { return }
        // Score i of the prompt is that of token i + 1, which follows row i.
        let knownCount = earlierCount - rows.firstPosition
        sequences[rows.id]?.promptScores += scores.dropFirst(max(0, knownCount))
        guard let sequence = sequences[rows.id], sequence.promptScores.count >= sequence.promptScoreCount
        else { return }
        let all = sequence.promptScores
        sequences[rows.id]?.promptScores = []
        sequences[rows.id]?.isPromptScored = true
        emit(rows.id, .promptScored(all))
    }

    private mutating func commit(_ sampled: TokenScore, of id: SequenceID, at now: Instant) {
        guard var output = sequences[id]?.output, let request = sequences[id]?.request else { return }
        sequences[id]?.tokens.append(sampled.token)
        if sequences[id]?.firstTokenAt == nil { sequences[id]?.firstTokenAt = now }
        let outputCount = sequences[id]?.outputTokenCount ?? 0

        var reason: FinishReason?
        var text = ""
        if endTokens.contains(sampled.token), !request.ignoresEnd {
            reason = .stop
        } else {
            let bytes = self.text?.bytes(of: sampled.token) ?? []
            let appended = output.append(bytes, mayStop: outputCount >= request.outputTokenCountMin)
            text = appended.text
            if appended.isStopped {
                reason = .stop
            } else if outputCount >= sequences[id]?.outputTokenCountMax ?? 0 {
                reason = .length
            }
        }
        if reason != nil { text += output.finish() }
        sequences[id]?.output = output
        emit(id, .output(text: text, tokens: [sampled]))
        if let reason, let sequence = sequences[id] {
            end(id, .finished(reason, sequence.usage(at: now)))
        } else if let sequence = sequences[id] {
            decodeQueue.append(QueueEntry(id: id, run: sequence.run))
        }
    }
}
