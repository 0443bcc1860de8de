import NIOCore
import Vocabulary

/// Writes a reply as server-sent events: what one item of the feed adds becomes one write.
struct EventStream {
    private(set) var reply: Reply
    /// Chat choices whose role was told.
    private var begun: Set<Int> = []
    private var wroteSinceTick = false

    init(_ reply: Reply) { self.reply = reply }

    /// The bytes to send for `item`; empty when there are none.
    mutating func take(_ item: GenerationFeed.Item) throws(APIError) -> ByteBuffer {
        var bytes = ByteBuffer()
        if let (choice, delta) = try reply.take(item) {
            append(choice, delta, to: &bytes)
        } else if case .tick = item {
            // Nothing on the way shall take a stream for dead while a long prompt is processed.
            if !wroteSinceTick { bytes.writeString(": ping\n\n") }
            wroteSinceTick = false
            return bytes
        }
        if bytes.readableBytes > 0 { wroteSinceTick = true }
        return bytes
    }

    /// What follows when all choices are finished.
    func end() -> ByteBuffer {
        var bytes = ByteBuffer()
        if reply.job.includesUsage { Self.append(reply.usageChunk(), to: &bytes) }
        bytes.writeString("data: [DONE]\n\n")
        return bytes
    }

    static func failure(_ error: APIError) -> ByteBuffer {
        var bytes = ByteBuffer()
        append(error.body, to: &bytes)
        return bytes
    }

    private mutating func append(_ choice: Int, _ delta: ChoiceProgress.Delta, to bytes: inout ByteBuffer) {
        if reply.job.endpoint == .chat, begun.insert(choice).inserted {
            Self.append(reply.roleChunk(choice: choice), to: &bytes)
        }
        if !delta.text.isEmpty || !delta.logprobs.isEmpty {
            Self.append(reply.textChunk(choice: choice, delta), to: &bytes)
        }
        if let reason = delta.finishReason {
            Self.append(reply.finishChunk(choice: choice, reason), to: &bytes)
        }
    }

    private static func append(_ event: JSONValue, to bytes: inout ByteBuffer) {
        bytes.writeString("data: ")
        bytes.writeBytes(event.serialized())
        bytes.writeString("\n\n")
    }
}
