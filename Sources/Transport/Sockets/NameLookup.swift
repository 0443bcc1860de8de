import Glibc
import Synchronization
import Vocabulary

/// Asks for the addresses of a host without blocking the caller's thread, and not beyond a deadline.
final class NameLookup: Sendable {
    private let loop: EventLoop
    private let resolve: TransportOptions.Resolve
    private let threadCount = Atomic<Int>(0)

    init(loop: EventLoop, options: TransportOptions) {
        self.loop = loop
        resolve = options.resolve
    }

    /// A name server that does not answer holds a thread for as long as the system waits for it.
    private static let threadCountMax = 16

    /// Throws `timedOut` when no name server has answered by `deadline`.
    func addresses(host: String, port: Int, deadline: Instant) async throws(TransportError) -> [SocketAddress] {
        // Addresses need no server.
        if let addresses = try? SocketAddress.resolve(host: host, port: port, isNumeric: true) { return addresses }
        let result = await withCheckedContinuation { continuation in
            let answer = Answer(continuation)
            let timer = loop.schedule(at: deadline) {
                answer.give(
                    .failure(TransportError(.timedOut, "no name server has told the address of \(host) in time")))
            }
            let count = threadCount.wrappingAdd(1, ordering: .relaxed).newValue
            let isAsked =
                count <= Self.threadCountMax
                && BlockingWork { [self] in
                    let result = Result { () throws(TransportError) in try resolve(host, port) }
                    threadCount.wrappingSubtract(1, ordering: .relaxed)
                    timer.cancel()
                    answer.give(result)
                }.start()
            guard !isAsked else { return }
            threadCount.wrappingSubtract(1, ordering: .relaxed)
            timer.cancel()
            answer.give(
                .failure(
                    TransportError(.system, "\(host) cannot be looked up: too many questions wait for name servers")))
        }
        return try result.get()
    }

    /// The first answer counts.
    private final class Answer: Sendable {
        typealias Continuation = CheckedContinuation<Result<[SocketAddress], TransportError>, Never>
        private let continuation: Mutex<Continuation?>

        init(_ continuation: Continuation) { self.continuation = Mutex(continuation) }

        func give(_ result: Result<[SocketAddress], TransportError>) {
            let taken = continuation.withLock { continuation in
                defer { continuation = nil }
                return continuation
            }
            taken?.resume(returning: result)
        }
    }
}

/// Work that blocks, on a thread of its own.
private final class BlockingWork: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    /// False when there is no thread to be had; the work is not done then.
    func start() -> Bool {
        let work = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<BlockingWork>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        guard result == 0 else {
            work.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
