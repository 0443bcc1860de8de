/// Why bytes are not a frame or a message, or why a value cannot become one. `message` names the message and the
/// field.
public struct WireError: Error, CustomStringConvertible, Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        /// The bytes do not begin like a frame: whoever is at the other end speaks something else.
        case notAFrame
        /// A frame of a protocol version that this build does not speak.
        case unsupportedVersion
        /// A checksum of the header or of the body does not fit its bytes.
        case checksumMismatch
        /// A header whose fields contradict each other or hold reserved values.
        case malformedHeader
        /// A length above the limits.
        case tooLarge
        /// A control part that is not the message it should be.
        case malformedMessage
        /// A bulk part that the message cannot have.
        case malformedBulk
        /// A value that has no form on the wire: a negative count, a string with U+0000.
        case unencodable
        /// No memory for the message.
        case outOfMemory
    }

    public var kind: Kind
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}
