import Vocabulary

/// One stage of a node: what it is to be, what the shell is doing for it, and the order of its steps.
struct NodeStage: Sendable {
    enum State: Sendable {
        /// Wanted, and not loaded yet.
        case loading
        case ready
        /// Loaded or not, no step of this epoch is run any more.
        case ended(reason: String)
        /// To be unloaded as soon as the shell is through with what it does.
        case released
    }

    var assignment: StageAssignment
    var term: Term
    var state: State = .loading
    /// What the shell loads or has loaded; nil when it holds nothing.
    var held: StageAssignment?
    /// A load is under way.
    var isLoading = false
    /// Who may send steps; for a stage whose predecessor is not named, whoever sends the first.
    var sender: NodeID?
    var nextNumber = StepNumber.first
    var tables: BlockTables

    init(_ assignment: StageAssignment, term: Term) {
        self.assignment = assignment
        self.term = term
        sender = assignment.stageIndex == 0 ? .coordinator : assignment.previous
        tables = BlockTables(blockCount: assignment.blockCount)
    }

    /// Another epoch; what the shell holds stays.
    mutating func reassign(_ assignment: StageAssignment, term: Term) {
        let (held, isLoading) = (held, isLoading)
        self = NodeStage(assignment, term: term)
        self.held = held
        self.isLoading = isLoading
    }

    var isReady: Bool {
        if case .ready = state { true } else { false }
    }

    /// Why a step is not for this epoch of this stage, and whether the coordinator is to hear of it.
    func refusal(of step: Step, _ asked: Term, from peer: NodeID) -> (reason: String, isReported: Bool)? {
        if let sender, sender != peer { return ("it came from \(peer), and steps are due from \(sender)", false) }
        guard asked == term, step.epoch == assignment.epoch else {
            // Steps of older epochs are expected to trickle in; one of a newer epoch cannot be.
            let isNewer = asked > term || asked == term && step.epoch > assignment.epoch
            return ("the stage is in epoch \(assignment.epoch) of term \(term)", isNewer)
        }
        switch state {
        case .ready: return nil
        case .loading: return ("the stage is still loading", true)
        // Told already, unless there was no coordinator then; better twice than a wait for the step's deadline.
        case .ended(let reason): return (reason, true)
        case .released: return ("the stage was released", false)
        }
    }
}
