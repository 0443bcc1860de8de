public import Vocabulary

/// What one needs of a model to speak text with it, without its weights. Keeps no reference to the file.
public struct TextModel: Sendable {
    public let tokenizer: Tokenizer
    /// Renders conversations, or says why it cannot (`ChatTemplate.refusal`): completions work all the same.
    public let template: ChatTemplate

    /// - Throws: `ModelError` when the file has no tokenizer or one that is not supported.
    public init(_ file: ModelFile) throws(ModelError) {
        tokenizer = try Tokenizer(file)
        template = try ChatTemplate(file)
    }

    public init(tokenizer: Tokenizer, template: ChatTemplate) {
        self.tokenizer = tokenizer
        self.template = template
    }

    /// The tokens of a conversation, ending where the assistant begins. Control tokens written inside a message are
    /// plain text.
    public func encode(_ messages: [ChatMessage]) throws(ModelError) -> [TokenID] {
        try template.encode(messages, with: tokenizer)
    }
}
