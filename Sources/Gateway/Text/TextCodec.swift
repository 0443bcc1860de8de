package import Models
package import Vocabulary

/// All that the gateway needs of a model to turn text into tokens and tokens into text.
package protocol TextCodec: Sendable {
    var vocabularySize: Int { get }
    /// Why conversations cannot be encoded; nil when they can.
    var chatRefusal: String? { get }
    /// Control tokens written out in `text` become those tokens.
    func encode(text: String) -> [TokenID]
    /// A conversation, ending where the assistant begins.
    func encode(messages: [ChatMessage]) throws -> [TokenID]
    /// The bytes that `token` adds to a text; empty for control tokens.
    func bytes(of token: TokenID) -> [UInt8]
    /// How `token` is shown, control tokens too.
    func display(of token: TokenID) -> String
}

struct ModelTextCodec: TextCodec {
    let text: TextModel

    var vocabularySize: Int { text.tokenizer.vocabularySize }
    var chatRefusal: String? { text.template.refusal }
    func encode(text string: String) -> [TokenID] { text.tokenizer.encode(string) }
    func encode(messages: [ChatMessage]) throws -> [TokenID] { try text.encode(messages) }
    func bytes(of token: TokenID) -> [UInt8] { text.tokenizer.bytes(of: token) }
    func display(of token: TokenID) -> String { text.tokenizer.piece(of: token) }
}
