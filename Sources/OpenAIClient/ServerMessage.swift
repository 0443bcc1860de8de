import Foundation

/// What a server says in the body of an error.
enum ServerMessage {
    /// OpenAI's shape, `{"error": {"message": ...}}`, and the shapes of servers that are nearly compatible.
    private struct Envelope: Decodable {
        struct Inner: Decodable { var message: String? }
        var message: String?

        private enum Key: String, CodingKey { case error, message, detail }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            let inner = try? container.decode(Inner.self, forKey: .error)
            let texts = [Key.error, .message, .detail].lazy.compactMap {
                try? container.decode(String.self, forKey: $0)
            }
            message = inner?.message ?? texts.first
        }
    }

    /// Nil when `body` has none of the known shapes.
    static func text(of body: [UInt8]) -> String? {
        (try? JSONDecoder().decode(Envelope.self, from: Data(body)))?.message
    }

    /// The beginning of `body` on one line.
    static func excerpt(_ body: [UInt8]) -> String {
        let text = String(decoding: body.prefix(300), as: UTF8.self)
        let line = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
        return body.count > 300 ? line + "..." : line
    }

    /// An event of a stream as a `Chunk`; an error that it reports, and what is no chunk, is thrown.
    static func chunk<Chunk: Decodable>(
        _ event: ServerSentEventParser.Event, url: String
    ) throws(OpenAIError) -> Chunk {
        let bytes = Array(event.data.utf8)
        if event.name != "error", let chunk = try? JSONDecoder().decode(Chunk.self, from: Data(bytes)) { return chunk }
        if let message = text(of: bytes) { throw OpenAIError(.server, url: url, message: message) }
        throw OpenAIError(
            .badResponse, url: url, message: "a chunk of the stream is not as expected: \(excerpt(bytes))")
    }
}
