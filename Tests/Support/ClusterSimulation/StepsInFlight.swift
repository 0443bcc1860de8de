import Vocabulary

/// A pipeline's steps that were run and have not come back, and the blocks that they write and read.
struct StepsInFlight {
    private struct Uses {
        var number: StepNumber
        /// Who writes a block, and who reads it.
        var writers: [BlockID: SequenceID] = [:]
        var readers: [BlockID: Set<SequenceID>] = [:]
    }

    private var epoch = Epoch(0)
    private var newest = StepNumber(0)
    private var lists: [SequenceID: [BlockID]] = [:]
    private var steps: [Uses] = []

    /// Those that stages keep something of.
    func sequenceCount(in epoch: Epoch) -> Int { epoch == self.epoch ? lists.count : 0 }

    mutating func finish(_ result: StepResult) {
        guard result.epoch == epoch else { return }
        steps.removeAll { $0.number <= result.number }
    }

    /// What is wrong with this step coming next, if anything.
    mutating func begin(_ step: Step) -> String? {
        if step.epoch != epoch {
            self = StepsInFlight()
            epoch = step.epoch
        }
        guard step.number == newest.next else { return "it comes after step \(newest)" }
        newest = step.number
        for sequence in step.ended where lists.removeValue(forKey: sequence) == nil {
            return "sequence \(sequence) ended without having begun"
        }
        steps.append(Uses(number: step.number))
        for rows in step.sequences {
            guard (lists[rows.sequence] == nil) == (rows.introduction != nil) else {
                return "sequence \(rows.sequence) is introduced twice or never"
            }
            let list = Array((lists[rows.sequence] ?? []).prefix(rows.firstBlockIndex)) + rows.blocks
            lists[rows.sequence] = list
            let firstWritten = rows.firstPosition / BlockID.positionCount
            let end = (rows.firstPosition + rows.tokens.count - 1) / BlockID.positionCount + 1
            for (index, block) in list.prefix(end).enumerated() {
                if let flaw = use(block, by: rows.sequence, writes: index >= firstWritten) { return flaw }
            }
        }
        return nil
    }

    /// Nobody writes what another reads or writes in a step that is in flight.
    private mutating func use(_ block: BlockID, by sequence: SequenceID, writes: Bool) -> String? {
        for step in steps {
            if let writer = step.writers[block], writer != sequence {
                return "sequence \(sequence) uses block \(block) while sequence \(writer) writes it"
            }
            if writes, let reader = step.readers[block]?.filter({ $0 != sequence }).min() {
                return "sequence \(sequence) writes block \(block) while sequence \(reader) reads it"
            }
        }
        if writes {
            steps[steps.count - 1].writers[block] = sequence
        } else {
            steps[steps.count - 1].readers[block, default: []].insert(sequence)
        }
        return nil
    }
}
