/// A part of a text to be encoded, which may or may not speak to the model in control tokens. What a user wrote may
/// not.
public struct TextSegment: Hashable, Sendable {
    public var text: String
    public var parsesControlTokens: Bool

    public init(_ text: String, parsesControlTokens: Bool) {
        self.text = text
        self.parsesControlTokens = parsesControlTokens
    }
}
