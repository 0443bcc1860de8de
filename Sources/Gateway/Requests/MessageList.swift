import Models

/// The messages of a conversation as clients write them: content is a string or a list of text parts.
struct MessageList: Decodable {
    let messages: [ChatMessage]

    private static let roles = ["system", "developer", "user", "assistant", "tool"]

    init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        var messages: [ChatMessage] = []
        while !list.isAtEnd {
            messages.append(try Self.message(try list.superDecoder(), path: "messages[\(messages.count)]"))
        }
        self.messages = messages
    }

    private static func message(_ decoder: any Decoder, path: String) throws(APIError) -> ChatMessage {
        let fields = try RequestFields(decoder, prefix: path + ".", called: "'\(path)'")
        guard let role = try fields.string("role") else {
            throw .invalid("'\(path).role' is missing", param: path + ".role")
        }
        guard roles.contains(role) else {
            throw .invalid(
                "'\(path).role' is \"\(role)\"; it must be one of \(roles.joined(separator: ", "))",
                param: path + ".role")
        }
        try fields.refuse(["tool_calls", "function_call", "audio"])
        let expected = "a string or a list of text parts"
        guard let content = try fields.value("content", as: MessageContent.self, expected) else {
            throw .invalid("'\(path).content' is missing; it must be \(expected)", param: path + ".content")
        }
        var texts: [String] = []
        for (index, part) in content.parts.enumerated() {
            let partPath = "\(path).content[\(index)]"
            guard part.type == "text" else {
                throw .unsupported("'\(partPath)' is of type \"\(part.type)\"; only text is supported", param: partPath)
            }
            guard let text = part.text else { throw .invalid("'\(partPath).text' must be a string", param: partPath) }
            texts.append(text)
        }
        return ChatMessage(role: role, content: texts.joined(separator: "\n"))
    }
}

private struct MessageContent: Decodable {
    struct Part: Decodable {
        let type: String
        let text: String?

        enum CodingKeys: CodingKey { case type, text }

        init(text: String) {
            type = "text"
            self.text = text
        }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            type = try fields.decode(String.self, forKey: .type)
            text = try? fields.decode(String.self, forKey: .text)
        }
    }
    let parts: [Part]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            parts = [Part(text: text)]
        } else {
            parts = try container.decode([Part].self)
        }
    }
}
