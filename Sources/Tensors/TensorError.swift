/// What is wrong with a tensor or with the machine asked to compute on it; the message names the thing and the fix.
public struct TensorError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// Counts that do not fit together: bytes, rows, columns, threads.
        case invalidSize
        /// A weight or a scale that is infinite or not a number.
        case nonFinite
        /// An instruction set this processor lacks, a CPU that cannot be bound.
        case unsupported
        case outOfMemory
    }
    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
