import Gateway
import Models
import Vocabulary

/// A vocabulary of the 256 bytes and one control token.
struct FakeCodec: TextCodec {
    static let vocabularySize = 257
    static let endToken: TokenID = 256

    var chatRefusal: String?

    var vocabularySize: Int { Self.vocabularySize }

    func encode(text: String) -> [TokenID] { text.utf8.map { TokenID($0) } }

    func encode(messages: [ChatMessage]) throws -> [TokenID] {
        encode(text: messages.map { "\($0.role):\($0.content);" }.joined())
    }

    func bytes(of token: TokenID) -> [UInt8] { UInt8(exactly: token).map { [$0] } ?? [] }

    func display(of token: TokenID) -> String {
        token == Self.endToken ? "<end>" : String(decoding: bytes(of: token), as: UTF8.self)
    }
}
