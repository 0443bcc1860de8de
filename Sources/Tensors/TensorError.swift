/// What is wrong with a tensor or with the machine asked to compute on it; the message names the thing and the fix.
public struct TensorError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// Counts that do not fit together: bytes, rows, columns, threads.
        case invalidSize
        /// A weight or a scale that is infinite or not a number.
        case nonFinite
        /// A source that could not be read.
        case unreadable
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

    static func nonFinite(row: Int, _ format: TensorFormat) -> TensorError {
        let what = format.isQuantised ? "scale" : "weight"
        return TensorError(
            .nonFinite, "row \(row) has a \(what) that is infinite or not a number; the file is damaged, get it again")
    }
}
