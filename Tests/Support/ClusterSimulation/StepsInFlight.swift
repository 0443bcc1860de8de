import Vocabulary

/// A pipeline's steps that were run and have not come back, and the blocks that they write and read.
struct StepsInFlight {
    private var epoch = Epoch(0)
    private var newest = StepNumber(0)
    private var lists: [SequenceID: [BlockID]] = [:]
    private var usedBlocks: [(number: StepNumber, blocks: Set<BlockID>)] = []

    /// Those that stages keep something of.
    func sequenceCount(in epoch: Epoch) -> Int { epoch == self.epoch ? lists.count : 0 }

    mutating func finish(_ result: StepResult) {
        guard result.epoch == epoch else { return }
        usedBlocks.removeAll { $0.number <= result.number }
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
        var used: Set<BlockID> = []
        for rows in step.sequences {
            if let block = rows.blocks.first(where: { block in usedBlocks.contains { $0.blocks.contains(block) } }) {
                return "block \(block) is given to sequence \(rows.sequence) while a step in flight uses it"
            }
            guard (lists[rows.sequence] == nil) == (rows.introduction != nil) else {
                return "sequence \(rows.sequence) is introduced twice or never"
            }
            let list = Array((lists[rows.sequence] ?? []).prefix(rows.firstBlockIndex)) + rows.blocks
            lists[rows.sequence] = list
            guard used.isDisjoint(with: list) else { return "two sequences of a step share a block" }
            used.formUnion(list)
        }
        usedBlocks.append((step.number, used))
        return nil
    }
}
