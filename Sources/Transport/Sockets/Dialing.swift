import Vocabulary

/// A TCP connection that is coming up.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class Dialing: ReadinessHandler, @unchecked Sendable {
    private let address: SocketAddress
    private let loop: EventLoop
    private var socket: Socket?
    private var watch: Watch?
    private var continuation: CheckedContinuation<Socket, any Error>?

    init(address: SocketAddress, loop: EventLoop) {
        self.address = address
        self.loop = loop
    }

    /// On the loop.
    func connect() async throws -> Socket {
        try await withCheckedThrowingContinuation { continuation in
            self.continuation = continuation
            do {
                let socket = try Socket.connect(to: address)
                self.socket = socket
                watch = try loop.watch(socket.descriptor, for: .writable, handler: self)
            } catch {
                finish(.failure(error))
            }
        }
    }

    func cancel(_ error: TransportError) { finish(.failure(error)) }

    func ready(for readiness: Readiness) {
        guard let socket else { return }
        if let error = socket.connectionError(to: address) {
            finish(.failure(error))
        } else {
            finish(.success(socket))
        }
    }

    private func finish(_ result: Result<Socket, any Error>) {
        watch?.cancel()
        watch = nil
        socket = nil
        continuation?.resume(with: result)
        continuation = nil
    }
}
