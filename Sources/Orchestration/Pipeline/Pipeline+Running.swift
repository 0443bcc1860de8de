import DequeModule
import Vocabulary

/// When requests begin, and what becomes of what they hold when they end.
extension Pipeline {
    // MARK: Beginning

    /// How many blocks the cache has of the sequence; nil when it cannot begin here now.
    func room(for sequence: inout SequenceState) -> Int? {
        guard isRunning, running.count < max(1, limits.runningSequenceCountMax),
            sequence.promptTokenCount + sequence.outputTokenCountMax <= positionCountMax
        else { return nil }
        return sharedBlockCount(of: &sequence)
    }

    /// Room for all tokens there are, and for the growth of those that run already: else the newcomer would soon be
    /// the youngest that has to go again.
    ///
    /// - Returns: how many blocks the cache has of it; nil when there is no room for the rest.
    private func sharedBlockCount(of sequence: inout SequenceState) -> Int? {
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

    /// - Parameters:
    ///   - waiting: one that there is `room(for:)`.
    ///   - sharedCount: its blocks in the cache.
    mutating func begin(_ waiting: SequenceState, sharedCount: Int, at now: Instant) {
        var sequence = waiting
        let shared = pool.share(sequence.chain.names.prefix(sharedCount))
        let ownCount = BlockPool.blockCount(positionCount: sequence.tokens.count) - sharedCount
        guard let own = pool.take(ownCount) else {
            preconditionFailure("\(ownCount) blocks were free a moment ago")
        }
        sequence.phase = .prompt
        sequence.blocks = shared + own
        sequence.sealedBlockCount = sharedCount
        sequence.scheduledCount = sharedCount * BlockID.positionCount
        sequence.committedCount = sequence.scheduledCount
        if sequence.started == nil {
            sequence.started = now
            sequence.cachedTokenCount = sequence.scheduledCount
        }
        sequences[sequence.id] = sequence
        running.insert(sequence.id, at: runningPlace(of: sequence.beginning))
        promptQueue.append(QueueEntry(id: sequence.id, run: sequence.run))
        promptSequenceCount += 1
        promptRowsPending += sequence.tokens.count - sequence.scheduledCount
        needsScheduling = true
    }

    // MARK: Ending

    /// The last event of a request that runs here; everything it holds goes.
    mutating func end(_ id: SequenceID, _ event: GenerationEvent) {
        stopRunning(id)
        if let sequence = sequences.removeValue(forKey: id) { departures.append(.ended(sequence)) }
        emit(id, event)
    }

    /// Takes the sequence's blocks; rows of it in flight become stale.
    mutating func stopRunning(_ id: SequenceID) {
        guard let sequence = sequences[id], sequence.phase != .waiting else { return }
        if let index = runningIndex(of: sequence) { running.remove(at: index) }
        if sequence.phase == .prompt {
            promptSequenceCount -= 1
            promptRowsPending -= sequence.tokens.count - sequence.scheduledCount
        }
        needsScheduling = true
        pool.give(sequence.blocks, after: stillInFlight(sequence.lastStep))
        if sequence.lastStep != nil { endedToTell.append(id) }
        sequences[id]?.endRun()
    }

    /// Makes room: the sequence's tokens stay, and it goes on before anybody who has not begun.
    mutating func preempt(_ id: SequenceID) {
        stopRunning(id)
        if let sequence = sequences.removeValue(forKey: id) { departures.append(.preempted(sequence)) }
        note(.debug, "request \(id) is preempted: no block is free")
    }

    private func runningIndex(of sequence: SequenceState) -> Int? {
        let place = runningPlace(of: sequence.beginning)
        return place < running.count && running[place] == sequence.id ? place : nil
    }

    /// `running` is in the order in which sequences began: where one that began then stands, or would stand.
    private func runningPlace(of beginning: UInt64) -> Int {
        var (low, high) = (0, running.count)
        while low < high {
            let middle = (low + high) / 2
            if sequences[running[middle]]?.beginning ?? 0 < beginning {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    /// A step that is being built counts as in flight: it will be the next to go.
    private func stillInFlight(_ step: StepNumber?) -> StepNumber? {
        guard let step else { return nil }
        if let oldest = inFlight.first?.number { return step >= oldest ? step : nil }
        return step >= nextNumber ? step : nil
    }
}
