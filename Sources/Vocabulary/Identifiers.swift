/// The lasting name of one process of the cluster: a node, the coordinator or an operator's tool.
///
/// 1 to 64 characters out of `a-z A-Z 0-9 . _ -`, so that a name can stand in a file name, a metric label
/// and a certificate without escaping.
public struct NodeID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let name: String

    /// Nil when `name` is not 1 to 64 characters out of `a-z A-Z 0-9 . _ -`.
    public init?(_ name: String) {
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.name = name
    }

    /// The name every coordinator goes by towards its nodes.
    public static let coordinator = NodeID(unchecked: "coordinator")

    private init(unchecked name: String) { self.name = name }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    public static func < (left: NodeID, right: NodeID) -> Bool { left.name < right.name }
    public var description: String { name }
}

/// One start of a process. A process that restarts keeps its `NodeID` and gets another incarnation.
public struct Incarnation: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public var description: String { String(rawValue, radix: 16) }
}

/// Grows at each start of the coordinator. Nodes obey no term below the highest they have seen.
public struct Term: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (left: Term, right: Term) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }
}

/// Grows at each change of a pipeline's stages.
public struct Epoch: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (left: Epoch, right: Epoch) -> Bool { left.rawValue < right.rawValue }
    public var next: Epoch { Epoch(rawValue + 1) }
    public var description: String { String(rawValue) }
}

/// Numbers the steps of one epoch of one pipeline: 1, 2, 3 without gaps.
public struct StepNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static let first = StepNumber(1)
    public static func < (left: StepNumber, right: StepNumber) -> Bool { left.rawValue < right.rawValue }
    public var next: StepNumber { StepNumber(rawValue + 1) }
    public var description: String { String(rawValue) }
}

/// A pipeline: an ordered list of stages that covers a model exactly once.
public struct PipelineID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (left: PipelineID, right: PipelineID) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }
}

/// One generation in progress. A request is served by one sequence, so both share the number.
public struct SequenceID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (left: SequenceID, right: SequenceID) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }
}

/// One accepted request, unique within a coordinator's life.
public struct RequestID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (left: RequestID, right: RequestID) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }
}

/// A block of the paged KV cache: 32 consecutive positions of one sequence, for all layers of a stage.
/// The coordinator gives the ids; they are the same on all stages of a pipeline: `0 ..< blockCount`.
public struct BlockID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let rawValue: UInt32
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (left: BlockID, right: BlockID) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }

    /// Positions in one block.
    public static let positionCount = 32
}

/// An index into a model's vocabulary.
public typealias TokenID = Int32
