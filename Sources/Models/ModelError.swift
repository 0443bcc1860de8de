/// Why a model file, or something asked of a model, was refused. The message names the thing and, where there is
/// one, the fix.
public struct ModelError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: String, Hashable, Sendable {
        /// The file cannot be opened or read.
        case unreadable
        /// The file's content contradicts itself or its format.
        case malformed
        /// The file is in order, but asks for something that Shardline does not have.
        case unsupported
        /// A key or a tensor that the model needs is not there.
        case missing
        /// The messages of a chat cannot be rendered.
        case invalidMessage
    }

    public let kind: Kind
    public let message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }

    /// The same error with the file's path in front, for what is thrown out of this module.
    func naming(_ path: String) -> ModelError { ModelError(kind, "\(path): \(message)") }

    /// Outside text as it may stand in a message: in quotes, control characters escaped, at most 80 scalars long.
    static func quote(_ text: String) -> String {
        let scalars = text.unicodeScalars
        let head = scalars.prefix(80)
        var shown = String.UnicodeScalarView(head)
        if head.endIndex != scalars.endIndex { shown.append(contentsOf: "...".unicodeScalars) }
        return String(shown).debugDescription
    }
}
