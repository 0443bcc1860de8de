import Synchronization
import Vocabulary

/// The events of all generations of one request in one stream, with the ticks and the end of its connection.
///
/// Generations end with the feed: letting go of it, `stop` or the client's going cancels those that still run.
final class GenerationFeed: Sendable {
    enum Item: Sendable {
        case event(choice: Int, GenerationEvent)
        /// A generation's stream is over; after `finished` or `failed` when all is well.
        case ended(choice: Int)
        /// Comes once every interval.
        case tick
        case clientGone
    }

    /// To be iterated by one task at a time; one may go on where another stopped.
    let items: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation
    private let tasks: [Task<Void, Never>]
    private let watch: ConnectionWatch?
    private let watcher: Mutex<Int?> = Mutex(nil)

    init(
        _ requests: [GenerationRequest], service: any GenerationService, tickInterval: Duration?,
        watch: ConnectionWatch?
    ) {
        let (items, continuation) = AsyncStream<Item>.makeStream()
        self.items = items
        self.continuation = continuation
        self.watch = watch
        var tasks = requests.enumerated().map { choice, request in
            Task {
                guard !Task.isCancelled else { return }
                for await event in await service.generate(request) {
                    continuation.yield(.event(choice: choice, event))
                }
                continuation.yield(.ended(choice: choice))
            }
        }
        if let tickInterval {
            tasks.append(
                Task {
                    while (try? await Task.sleep(for: tickInterval)) != nil { continuation.yield(.tick) }
                })
        }
        self.tasks = tasks
        if let watch {
            let number = watch.add { [weak self] in
                self?.continuation.yield(.clientGone)
                self?.stop()
            }
            watcher.withLock { $0 = number }
        }
    }

    deinit {
        stop()
        if let watch, let number = watcher.withLock({ $0 }) { watch.remove(number) }
    }

    /// Cancels what still runs. Harmless when called again.
    func stop() {
        for task in tasks { task.cancel() }
        continuation.finish()
    }
}
