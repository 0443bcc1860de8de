import DequeModule
import Vocabulary

/// What goes into the next step.
///
/// With S stages, decode rows are dealt out over S steps, so that each stage has one; one step more may be in flight
/// for prompt rows. A step takes decode rows first, but leaves prompts a quarter of its rows.
extension Pipeline {
    /// Fewer prompt rows than this are not split over steps: a stage reads all its weights for every step.
    private static let promptSplitRowCount = 16

    mutating func schedule(at now: Instant) {
        guard isRunning, let plan, let first = plan.stages.first else { return }
        admitWaiting(at: now)
        while inFlight.count < stepsInFlightMax, let step = nextStep(stageCount: plan.stages.count) {
            if inFlight.count == 1 { oldestSince = now }
            outbox.append(.run(first.node, step))
        }
    }

    private struct StepDraft {
        var sequences: [SequenceRows] = []
        var rows: [StepInFlight.Rows] = []
        var rowCount = 0
        var promptRowCount = 0
        var decodeRowCount = 0
    }

    /// Nil when no sequence has a row to give.
    private mutating func nextStep(stageCount: Int) -> Step? {
        // Sequences that end while this step is built may have rows in it: they are told with the next.
        let ended = endedToTell
        endedToTell = []
        var draft = StepDraft()
        let budget = max(1, settings.stepRowCountMax)
        let decodeMax = decodeStepsInFlight < stageCount ? decodeShare(stageCount: stageCount) : 0
        let kept = promptRowsPending == 0 ? 0 : rowsKeptForPrompts(budget: budget)
        addDecodeRows(to: &draft, upTo: min(decodeMax, budget - kept))
        addPromptRows(to: &draft, upTo: min(budget - draft.rowCount, promptShare(stageCount: stageCount)))
        addDecodeRows(to: &draft, upTo: min(decodeMax, budget - draft.promptRowCount))
        guard draft.rowCount > 0 else {
            endedToTell = ended + endedToTell
            return nil
        }
        let number = nextNumber
        nextNumber = number.next
        inFlight.append(
            StepInFlight(
                number: number, rows: draft.rows, promptRowCount: draft.promptRowCount,
                hasDecodeRows: draft.decodeRowCount > 0))
        promptRowsInFlight += draft.promptRowCount
        if draft.decodeRowCount > 0 { decodeStepsInFlight += 1 }
        return Step(pipeline: id, epoch: epoch, number: number, sequences: draft.sequences, ended: ended)
    }

    // MARK: Shares

    /// Decode rows of a step, so that all decoding sequences make as many steps as there are stages.
    private func decodeShare(stageCount: Int) -> Int {
        let decodingCount = running.count - promptSequenceCount
        return (decodingCount + stageCount - 1) / stageCount
    }

    private func rowsKeptForPrompts(budget: Int) -> Int {
        // Too few rows to share: prompts and decode rows take turns.
        if budget < 4 { return nextNumber.rawValue.isMultiple(of: 2) ? budget : 0 }
        return budget / 4
    }

    /// A prompt shorter than the pipeline is deep is spread over its stages, so that they work on it together.
    private func promptShare(stageCount: Int) -> Int {
        let rowCount = promptRowsPending + promptRowsInFlight
        return max(Self.promptSplitRowCount, (rowCount + stageCount - 1) / stageCount)
    }

    // MARK: Decode rows

    private mutating func addDecodeRows(to draft: inout StepDraft, upTo limit: Int) {
        var deferred: [QueueEntry] = []
        while draft.decodeRowCount < limit, let entry = decodeQueue.popFirst() {
            guard let sequence = sequences[entry.id], sequence.run == entry.run else { continue }
            if reserveBlock(for: entry.id) {
                add(entry.id, rowCount: 1, to: &draft)
                draft.decodeRowCount += 1
            } else if sequences[entry.id]?.run == entry.run {
                deferred.append(entry)
            }
        }
        decodeQueue.prepend(contentsOf: deferred)
    }

    /// Makes sure of a block for the sequence's newest token. When there is none, the youngest running sequence is
    /// preempted, which may be this one; false when blocks must come back first.
    private mutating func reserveBlock(for id: SequenceID) -> Bool {
        while let sequence = sequences[id], sequence.phase != .waiting {
            if sequence.blocks.count * BlockID.positionCount > sequence.scheduledCount { return true }
            if let block = pool.take(1) {
                sequences[id]?.blocks += block
                return true
            }
            guard pool.retiringCount == 0, let youngest = running.last else { return false }
            preempt(youngest)
        }
        return false
    }

    private mutating func preempt(_ id: SequenceID) {
        stopRunning(id)
        waiting.prepend(id)
        note(.debug, "request \(id) is preempted: no block is free")
    }

    // MARK: Prompt rows

    private mutating func addPromptRows(to draft: inout StepDraft, upTo limit: Int) {
        while draft.promptRowCount < limit, let entry = promptQueue.first {
            guard let sequence = sequences[entry.id], sequence.run == entry.run else {
                promptQueue.removeFirst()
                continue
            }
            let start = sequence.scheduledCount
            // Rows that score and rows behind the prompt (of a sequence computed again) do not mix.
            let end = sequence.scoresRows(from: start) ? sequence.promptTokenCount : sequence.tokens.count
            let rowCount = min(end - start, limit - draft.promptRowCount)
            add(entry.id, rowCount: rowCount, to: &draft)
            draft.promptRowCount += rowCount
            promptRowsPending -= rowCount
            // A sequence stands once in a step, so what is left of it waits for the next.
            guard start + rowCount == sequence.tokens.count else { return }
            promptQueue.removeFirst()
            promptSequenceCount -= 1
            sequences[entry.id]?.phase = .decoding
        }
    }

    // MARK: Rows

    private mutating func add(_ id: SequenceID, rowCount: Int, to draft: inout StepDraft) {
        guard let sequence = sequences[id] else { return }
        let start = sequence.scheduledCount
        let end = start + rowCount
        let neededBlockCount = BlockPool.blockCount(positionCount: end)
        let newBlocks = sequence.sentBlockCount..<max(sequence.sentBlockCount, neededBlockCount)
        let scores = sequence.scoresRows(from: start)
        let following = scores && end < sequence.promptTokenCount ? sequence.tokens[end] : nil
        let samples = end == sequence.tokens.count && sequence.outputTokenCount < sequence.outputTokenCountMax
        let rows = SequenceRows(
            sequence: id, firstPosition: start, tokens: Array(sequence.tokens[start..<end]),
            firstBlockIndex: newBlocks.lowerBound, blocks: Array(sequence.blocks[newBlocks]), samples: samples,
            scores: scores, followingToken: following,
            suppressesEnd: samples && sequence.outputTokenCount < sequence.request.outputTokenCountMin,
            introduction: sequence.lastStep == nil ? introduction(of: sequence) : nil)
        draft.sequences.append(rows)
        draft.rows.append(
            StepInFlight.Rows(
                id: id, run: sequence.run, firstPosition: start, rowCount: rowCount, samples: samples,
                scoreCount: scores ? rowCount - (following == nil ? 1 : 0) : 0))
        draft.rowCount += rowCount
        sequences[id]?.scheduledCount = end
        sequences[id]?.sentBlockCount = newBlocks.upperBound
        sequences[id]?.lastStep = nextNumber
    }

    private func introduction(of sequence: SequenceState) -> SequenceIntroduction {
        // Tokens whose KV was found in the cache lie before a run's first rows; penalties count them too.
        let earlier = sequence.request.sampling.usesPenalties ? sequence.tokens.prefix(sequence.scheduledCount) : []
        return SequenceIntroduction(
            sampling: sequence.request.sampling, promptTokenCount: sequence.promptTokenCount,
            earlierTokens: Array(earlier))
    }
}
