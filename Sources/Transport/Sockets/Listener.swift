import Logging
import Synchronization
import Vocabulary

/// A listening socket: hands on what it accepts.
///
/// `@unchecked Sendable`: `watch` is set once on the loop and read there.
final class Listener: ReadinessHandler, @unchecked Sendable {
    private let socket: Socket
    private let loop: EventLoop
    private let logger: Logger
    private let onAccepted: @Sendable (Socket) -> Void
    private var watch: Watch?

    /// Accepted in one go, so that a flood of connections leaves time for others.
    private static let acceptCountMax = 16
    /// When no descriptors are left, trying at once again would only burn time.
    private static let pause = Instant.Span.milliseconds(100)

    init(socket: Socket, loop: EventLoop, logger: Logger, onAccepted: @escaping @Sendable (Socket) -> Void) {
        self.socket = socket
        self.loop = loop
        self.logger = logger
        self.onAccepted = onAccepted
    }

    /// On the loop.
    func open() throws(TransportError) {
        watch = try loop.watch(socket.descriptor, for: .readable, handler: self)
    }

    /// On the loop.
    func close() {
        watch?.cancel()
        watch = nil
    }

    func ready(for readiness: Readiness) {
        do {
            for _ in 0..<Self.acceptCountMax {
                guard watch != nil, let accepted = try socket.accept() else { return }
                onAccepted(accepted)
            }
        } catch {
            logger.warning("cannot accept connections for a moment: \(error)")
            watch?.change(removing: .readable)
            loop.schedule(after: Self.pause) { [weak self] in self?.watch?.change(adding: .readable) }
        }
    }
}
