import DequeModule
import Vocabulary

/// When requests begin, and what becomes of what they hold when they end.
extension Pipeline {
    // MARK: Beginning

    func canBegin(_ sequence: inout SequenceState) -> Bool {
        guard isRunning, waitingCount == 0, running.count < settings.runningSequenceCountMax else { return false }
        return hasBlocks(for: &sequence) != nil
    }

    /// Room for all tokens there are, and for the growth of those that run already: else the newcomer would soon be
    /// the youngest that has to go again.
    ///
    /// - Returns: how many blocks the cache has of it; nil when there is no room for the rest.
    private func hasBlocks(for sequence: inout SequenceState) -> Int? {
        let needed = BlockPool.blockCount(positionCount: sequence.tokens.count)
        let reserve = min(running.count, max(1, pool.blockCount / 8))
        // Looking into the cache is of no use when even all that it may have would not do.
        let sharedCountMax = (sequence.tokens.count - 1) / BlockID.positionCount
        guard pool.freeCount + sharedCountMax >= needed + reserve else { return nil }
        guard sequence.mayReusePrefix else { return pool.freeCount >= needed + reserve ? 0 : nil }
        // At least one token is computed: there must be logits to sample from.
        sequence.chain.extend(over: sequence.tokens, blockCount: sharedCountMax)
        let match = pool.match(sequence.chain.names.prefix(sharedCountMax))
        return pool.freeCount - match.unusedCount >= needed - match.count + reserve ? match.count : nil
    }

    /// Lets requests begin while there is room: those that were preempted first, then the others in their fair order.
    /// Nobody is passed over for being large.
    mutating func admitWaiting(at now: Instant) {
        while running.count < max(1, settings.runningSequenceCountMax) {
            let resumed = preempted.first
            guard let id = resumed ?? waiting.first(), var sequence = sequences.removeValue(forKey: id) else { return }
            let isBegun = begin(&sequence, at: now)
            sequences[id] = sequence
            guard isBegun else { return }
            if resumed == nil { waiting.removeFirst() } else { preempted.removeFirst() }
        }
    }

    private mutating func begin(_ sequence: inout SequenceState, at now: Instant) -> Bool {
        guard let sharedCount = hasBlocks(for: &sequence) else { return false }
        let shared = pool.share(sequence.chain.names.prefix(sharedCount))
        let ownCount = BlockPool.blockCount(positionCount: sequence.tokens.count) - sharedCount
        guard let own = pool.take(ownCount) else {
            pool.give(shared, after: nil)
            return false
        }
        sequence.phase = .prompt
        sequence.blocks = shared + own
        sequence.sealedBlockCount = sharedCount
        sequence.scheduledCount = sharedCount * BlockID.positionCount
        sequence.committedCount = sequence.scheduledCount
        if sequence.started == nil {
            beginningCount += 1
            sequence.beginning = beginningCount
            sequence.started = now
            sequence.cachedTokenCount = sequence.scheduledCount
        }
        running.append(sequence.id)
        promptQueue.append(QueueEntry(id: sequence.id, run: sequence.run))
        promptSequenceCount += 1
        promptRowsPending += sequence.tokens.count - sequence.scheduledCount
        return true
    }

    // MARK: Ending

    /// The request's last event; everything it holds goes.
    mutating func end(_ id: SequenceID, _ event: GenerationEvent, at now: Instant) {
        if let sequence = sequences[id] {
            if sequence.phase != .waiting {
                stopRunning(id)
            } else if sequence.hasBegun {
                preempted.removeAll { $0 == id }
            } else {
                waiting.remove(id)
            }
            if sequence.hasBegun { noteEnd(of: sequence, at: now) }
        }
        sequences[id] = nil
        emit(id, event)
    }

    private mutating func noteEnd(of sequence: SequenceState, at now: Instant) {
        let cost = sequence.promptTokenCount + sequence.outputTokenCount
        waiting.correct(sequence.flow, by: cost - sequence.expectedCost)
        if let newestEnd, waitingCount > 0 {
            let seconds = (now - newestEnd).seconds
            secondsBetweenEnds = secondsBetweenEnds.map { $0 * 0.9 + seconds * 0.1 } ?? seconds
        }
        newestEnd = now
    }

    /// Takes the sequence's blocks; rows of it in flight become stale.
    mutating func stopRunning(_ id: SequenceID) {
        guard let sequence = sequences[id], sequence.phase != .waiting else { return }
        if let index = runningIndex(of: sequence) { running.remove(at: index) }
        if sequence.phase == .prompt {
            promptSequenceCount -= 1
            promptRowsPending -= sequence.tokens.count - sequence.scheduledCount
        }
        pool.give(sequence.blocks, after: stillInFlight(sequence.lastStep))
        if sequence.lastStep != nil { endedToTell.append(id) }
        sequences[id]?.endRun()
    }

    /// Makes room: the sequence's tokens stay, and it goes on before anybody who has not begun.
    mutating func preempt(_ id: SequenceID) {
        stopRunning(id)
        // Always the youngest that runs, so it began before those preempted earlier.
        preempted.insert(id, at: 0)
        note(.debug, "request \(id) is preempted: no block is free")
    }

    /// `running` is in the order in which sequences began.
    private func runningIndex(of sequence: SequenceState) -> Int? {
        var (low, high) = (0, running.count)
        while low < high {
            let middle = (low + high) / 2
            if sequences[running[middle]]?.beginning ?? 0 < sequence.beginning {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low < running.count && running[low] == sequence.id ? low : nil
    }

    /// A step that is being built counts as in flight: it will be the next to go.
    private func stillInFlight(_ step: StepNumber?) -> StepNumber? {
        guard let step else { return nil }
        if let oldest = inFlight.first?.number { return step >= oldest ? step : nil }
        return step >= nextNumber ? step : nil
    }
}
