import NIOCore
import Synchronization

/// Splits the pieces of one answer into events. Used from one thread at a time.
final class EventSplitter: Sendable {
    private let state = Mutex((parser: ServerSentEventParser(), isDone: false))

    /// Whether `[DONE]` has come.
    var isDone: Bool { state.withLock { $0.isDone } }

    /// The events that `buffer` completes, up to `[DONE]`.
    func events(in buffer: ByteBuffer, url: String) throws(OpenAIError) -> [ServerSentEventParser.Event] {
        do {
            return try state.withLock { state in
                let events = try state.parser.append(buffer.readableBytesView)
                guard !state.isDone else { return [] }
                guard let end = events.firstIndex(where: { $0.data == "[DONE]" }) else { return events }
                state.isDone = true
                return Array(events[..<end])
            }
        } catch {
            throw OpenAIError(.badResponse, url: url, message: "\(error)")
        }
    }
}
