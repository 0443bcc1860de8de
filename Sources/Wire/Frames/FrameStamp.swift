public import Vocabulary

/// Which life of whom a frame belongs to. All zero where it does not matter.
public struct FrameStamp: Hashable, Sendable, CustomStringConvertible {
    /// The coordinator's term, as far as the sender knows it.
    public var term: Term
    /// The sender's incarnation; 0 when it is not stated.
    public var incarnation: Incarnation
    /// The epoch of the pipeline that the message names.
    public var epoch: Epoch
    /// The step's number within its epoch.
    public var step: StepNumber

    public init(
        term: Term = Term(0), incarnation: Incarnation = Incarnation(0), epoch: Epoch = Epoch(0),
        step: StepNumber = StepNumber(0)
    ) {
        self.term = term
        self.incarnation = incarnation
        self.epoch = epoch
        self.step = step
    }

    public static let none = FrameStamp()

    public var description: String { "term \(term), incarnation \(incarnation), epoch \(epoch), step \(step)" }
}
