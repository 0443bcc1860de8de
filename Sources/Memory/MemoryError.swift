/// Memory that could not be had, or a question about memory that makes no sense.
public struct MemoryError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// A size or an alignment that no buffer can have.
        case invalid
        /// The system refused the allocation.
        case exhausted
        /// A NUMA node that this process has not got.
        case unknownNode
    }
    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
