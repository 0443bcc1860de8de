import DequeModule
import Vocabulary

/// What goes into the next step.
///
/// Decode rows are dealt out over as many steps as keep the stages at work by their measured times, so that each
/// stage has one. A step takes decode rows first, and then so many prompt rows that no sequence waits much longer for
/// its next token than without them; while nothing is measured, prompts have a quarter of its rows.
extension Pipeline {
    /// Fewer prompt rows than this are not split over steps: a stage reads all its weights for every step.
    private static let promptSplitRowCount = 16
    /// So many prompts at most are looked at for a step's prompt rows.
    private static let promptCandidateCount = 32

    mutating func schedule(at now: Instant) {
        needsScheduling = false
        guard isRunning, let plan, let first = plan.stages.first else { return }
        while let step = nextStep(at: now) {
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

    /// Nil when no sequence has a row to give, or enough steps are in flight.
    private mutating func nextStep(at now: Instant) -> Step? {
        let decodingCount = running.count - promptSequenceCount
        let decodeSteps = times.decodeStepCount(decodeRowCount: decodingCount)
        let stepCount =
            decodingCount == 0
            ? stepsInFlightMax
            : times.fillingStepCount(decodeRowCount: decodingCount, decodeStepCount: decodeSteps)
        guard inFlight.count < stepCount else { return nil }
        // Sequences that end while this step is built may have rows in it: they are told with the next.
        let ended = endedToTell
        endedToTell = []
        var draft = StepDraft()
        let budget = max(1, limits.stepRowCountMax)
        let decodeShare = (decodingCount + decodeSteps - 1) / decodeSteps
        let decodeMax = decodeStepsInFlight < decodeSteps ? decodeShare : 0
        let kept = promptRowsPending == 0 ? 0 : rowsKeptForPrompts(budget: budget)
        addDecodeRows(to: &draft, upTo: min(decodeMax, budget - kept))
        let seconds = times.stepSeconds(
            decodeRowCount: decodingCount, decodeStepCount: decodeSteps, stepCount: stepCount)
        let promptMax = seconds.map { times.promptRowCount(in: $0, besideDecodeRows: draft.decodeRowCount) } ?? budget
        addPromptRows(to: &draft, upTo: min(budget - draft.rowCount, promptMax, promptShare))
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
                decodeRowCount: draft.decodeRowCount, since: now))
        promptRowsInFlight += draft.promptRowCount
        if draft.decodeRowCount > 0 { decodeStepsInFlight += 1 }
        return Step(pipeline: id, epoch: epoch, number: number, sequences: draft.sequences, ended: ended)
    }

    // MARK: Shares

    private func rowsKeptForPrompts(budget: Int) -> Int {
        // Too few rows to share: prompts and decode rows take turns.
        if budget < 4 { return nextNumber.rawValue.isMultiple(of: 2) ? budget : 0 }
        return budget / 4
    }

    /// A prompt shorter than the pipeline is deep is spread over its stages, so that they work on it together.
    private var promptShare: Int {
        let stageCount = max(1, plan?.stages.count ?? 1)
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

    // MARK: Prompt rows

    /// The oldest prompt has half of the rows and those with the fewest rows left the other half: so a short prompt
    /// does not wait behind a long one, and the long one goes on whatever comes.
    private mutating func addPromptRows(to draft: inout StepDraft, upTo limit: Int) {
        guard limit > 0 else { return }
        var candidates = promptCandidates()
        guard !candidates.isEmpty else { return }
        candidates[0].rowCount = min(candidates[0].left, candidates.count == 1 ? limit : (limit + 1) / 2)
        var rest = limit - candidates[0].rowCount
        // Sorting keeps no order of equals: the queue's decides.
        let shortest = candidates.indices.dropFirst().sorted { (candidates[$0].left, $0) < (candidates[$1].left, $1) }
        for index in shortest where rest > 0 {
            candidates[index].rowCount = min(candidates[index].left, rest)
            rest -= candidates[index].rowCount
        }
        candidates[0].rowCount += min(rest, candidates[0].left - candidates[0].rowCount)
        // Backwards, so that places in the queue stay what they are.
        for candidate in candidates.reversed() where candidate.rowCount > 0 {
            add(candidate.id, rowCount: candidate.rowCount, to: &draft)
            draft.promptRowCount += candidate.rowCount
            promptRowsPending -= candidate.rowCount
            guard let sequence = sequences[candidate.id], sequence.scheduledCount == sequence.tokens.count else {
                continue
            }
            promptQueue.remove(at: candidate.place)
            promptSequenceCount -= 1
            sequences[candidate.id]?.phase = .decoding
        }
    }

    private struct PromptCandidate {
        var id: SequenceID
        /// In the queue.
        var place: Int
        /// Rows that may stand in one step.
        var left: Int
        var rowCount = 0
    }

    private mutating func promptCandidates() -> [PromptCandidate] {
        var candidates: [PromptCandidate] = []
        var place = 0
        while place < promptQueue.count, candidates.count < Self.promptCandidateCount {
            let entry = promptQueue[place]
            guard let sequence = sequences[entry.id], sequence.run == entry.run else {
                promptQueue.remove(at: place)
                continue
            }
            let start = sequence.scheduledCount
            // Rows that score and rows behind the prompt (of a sequence computed again) do not mix.
            let end = sequence.scoresRows(from: start) ? sequence.promptTokenCount : sequence.tokens.count
            candidates.append(PromptCandidate(id: entry.id, place: place, left: end - start))
            place += 1
        }
        return candidates
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
