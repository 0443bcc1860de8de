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
    private let generations: [Task<Void, Never>]
    private let ticker: Task<Void, Never>?
    private let ends: Ends
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
        let ends = Ends()
        self.ends = ends
        generations = requests.enumerated().map { choice, request in
            Task {
                guard !Task.isCancelled else { return }
                for await event in await service.generate(request) {
                    switch event {
                    case .finished, .failed: ends.add(choice)
                    case .accepted, .promptScored, .output: break
                    }
                    continuation.yield(.event(choice: choice, event))
                }
                continuation.yield(.ended(choice: choice))
            }
        }
        ticker = tickInterval.map { interval in
            Task {
                while (try? await Task.sleep(for: interval)) != nil { continuation.yield(.tick) }
            }
        }
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
        // Those that told their end are over by themselves: cancelling them would look like a lost client.
        for (choice, generation) in generations.enumerated() where !ends.contains(choice) { generation.cancel() }
        ticker?.cancel()
        continuation.finish()
    }

    /// The choices whose generations have told how they ended.
    private final class Ends: Sendable {
        private let choices = Mutex<Set<Int>>([])
        func add(_ choice: Int) { choices.withLock { _ = $0.insert(choice) } }
        func contains(_ choice: Int) -> Bool { choices.withLock { $0.contains(choice) } }
    }
}
