public import Vocabulary

/// How a model wants conversations written. The template languages of model files are programs; this knows the
/// families below by what their templates contain, and refuses all others.
public struct ChatTemplate: Sendable {
    enum Family: Sendable, Hashable {
        /// `<|im_start|>ROLE\nCONTENT<|im_end|>\n`, with the system message that the template puts in front of a
        /// conversation that has none.
        case chatML(defaultSystem: String?)
        /// `<|start_header_id|>ROLE<|end_header_id|>\n\nCONTENT<|eot_id|>`, content trimmed. The dates that templates
        /// of Llama 3.1 and later put into the system message are left out.
        case llama3
        /// Why this model cannot chat.
        case refused(String)
    }

    private let family: Family

    /// Succeeds for a model whose template is unknown or absent, too: then `refusal` says why, and rendering throws.
    ///
    /// - Throws: `ModelError` when `tokenizer.chat_template` is not a string.
    public init(_ file: ModelFile) throws(ModelError) {
        do throws(ModelError) {
            family = Self.family(of: try MetadataReader(file.metadata).stringIfPresent("tokenizer.chat_template"))
        } catch {
            throw error.naming(file.path)
        }
    }

    /// - Parameter source: the template as it stands in a file; nil when the file has none.
    public init(source: String?) { family = Self.family(of: source) }

    /// Why this model cannot chat; nil when it can.
    public var refusal: String? { if case .refused(let reason) = family { reason } else { nil } }

    /// The conversation as one text, for people to read. It ends where the assistant begins.
    public func render(_ messages: [ChatMessage]) throws(ModelError) -> String {
        try segments(messages).map(\.text).joined()
    }

    /// The tokens of the conversation. What the messages say is plain text: a control token written there does not
    /// become one.
    public func encode(_ messages: [ChatMessage], with tokenizer: Tokenizer) throws(ModelError) -> [TokenID] {
        let tokens = tokenizer.encode(try segments(messages), addsBeginning: false, addsEnd: false)
        guard tokenizer.addsBeginning, let begin = tokenizer.beginToken, tokens.first != begin else { return tokens }
        return [begin] + tokens
    }

    /// The conversation in parts: the template's own, in which control tokens count, and the messages', in which they
    /// do not.
    public func segments(_ messages: [ChatMessage]) throws(ModelError) -> [TextSegment] {
        guard !messages.isEmpty else {
            throw ModelError(.invalidMessage, "a conversation needs at least one message")
        }
        switch family {
        case .refused(let reason): throw ModelError(.unsupported, reason)
        case .chatML(let defaultSystem):
            var parts: [TextSegment] = []
            var roles: [(role: String, content: TextSegment)] = []
            for message in messages {
                roles.append((try Self.role(message), TextSegment(message.content, parsesControlTokens: false)))
            }
            if let defaultSystem, roles[0].role != "system" {
                // The model's maker wrote this one.
                roles.insert(("system", TextSegment(defaultSystem, parsesControlTokens: true)), at: 0)
            }
            for (role, content) in roles {
                parts.append(Self.control("<|im_start|>\(role)\n"))
                parts.append(content)
                parts.append(Self.control("<|im_end|>\n"))
            }
            parts.append(Self.control("<|im_start|>assistant\n"))
            return parts
        case .llama3:
            var parts = [Self.control("<|begin_of_text|>")]
            for message in messages {
                let role = try Self.role(message)
                // What a tool answers goes by this name there.
                let header = role == "tool" ? "ipython" : role
                parts.append(Self.control("<|start_header_id|>\(header)<|end_header_id|>\n\n"))
                parts.append(TextSegment(Self.trimmed(message.content), parsesControlTokens: false))
                parts.append(Self.control("<|eot_id|>"))
            }
            parts.append(Self.control("<|start_header_id|>assistant<|end_header_id|>\n\n"))
            return parts
        }
    }

    private static func control(_ text: String) -> TextSegment { TextSegment(text, parsesControlTokens: true) }

    private static func role(_ message: ChatMessage) throws(ModelError) -> String {
        switch message.role {
        case "system", "developer": return "system"
        case "user", "assistant", "tool": return message.role
        default:
            throw ModelError(
                .invalidMessage,
                "a message has the role \(ModelError.quote(message.role)); roles are system, developer, "
                    + "user, assistant and tool")
        }
    }

    /// Without white space at both ends.
    private static func trimmed(_ text: String) -> String {
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }
}
