/// One message of a conversation.
public struct ChatMessage: Hashable, Sendable {
    /// "system", "developer" (the same), "user", "assistant" or "tool".
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}
