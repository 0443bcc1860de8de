import Transport

/// Sends one-way messages to one destination in the order in which they were handed over.
///
/// A decision made inside an actor must not wait for a lane, and a Task per message would lose their order: so
/// messages go through one queue that one task empties. What is in it is bounded by the steps in flight.
final class OutboundQueue: Sendable {
    typealias Send = @Sendable () async throws -> Void

    private let continuation: AsyncStream<Send>.Continuation
    private let task: Task<Void, Never>

    /// - Parameter onFailure: told of each message that could not be handed to its lane.
    init(on loop: EventLoop, onFailure: @escaping @Sendable (any Error) -> Void) {
        let (stream, continuation) = AsyncStream<Send>.makeStream()
        self.continuation = continuation
        task = Task(executorPreference: loop) {
            for await send in stream {
                do { try await send() } catch { onFailure(error) }
            }
        }
    }

    func enqueue(_ send: @escaping Send) { continuation.yield(send) }

    deinit {
        continuation.finish()
        task.cancel()
    }
}
