import NIOCore
import NIOHTTP1
import NIOPosix

/// One connection to a server, used by one exchange at a time.
final class HTTPConnection: Sendable {
    /// All clients of the process share one thread: text is little work.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private let channel: any Channel
    private let handler: NIOLoopBound<HTTPResponseHandler>

    private init(channel: any Channel, handler: NIOLoopBound<HTTPResponseHandler>) {
        self.channel = channel
        self.handler = handler
    }

    static func open(to server: ServerURL, timeout: TimeAmount) async throws -> HTTPConnection {
        try await ClientBootstrap(group: group)
            .connectTimeout(timeout)
            .channelOption(.autoRead, value: false)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connect(host: server.host, port: server.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    let handler = HTTPResponseHandler(eventLoop: channel.eventLoop)
                    try pipeline.addHandler(handler)
                    return HTTPConnection(
                        channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop))
                }
            }
    }

    var isActive: Bool { channel.isActive }

    /// Whether the next exchange may use this connection.
    func isReady() async -> Bool {
        guard channel.isActive else { return false }
        let handler = handler
        return (try? await channel.eventLoop.submit { handler.value.isIdle }.get()) ?? false
    }

    /// Sends a request. That it could not be sent shows when the answer is read.
    func send(_ head: HTTPRequestHead, body: [UInt8]) {
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: body))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    /// The next part of the answer. Cancelling the task closes the connection.
    func next(timeout: TimeAmount) async throws -> HTTPClientResponsePart {
        let handler = handler
        do {
            return try await withTaskCancellationHandler {
                try await channel.eventLoop.flatSubmit { handler.value.next(timeout: timeout) }.get()
            } onCancel: {
                close()
            }
        } catch {
            try Task.checkCancellation()
            throw error
        }
    }

    /// Hands each piece of the body to `receive`, on the connection's thread, until the answer's end, or until
    /// `receive` returns false. Cancelling the task closes the connection; so does an error of `receive`, which is
    /// thrown.
    /// - Returns: whether the answer has ended.
    func push(
        timeout: TimeAmount, to receive: @escaping @Sendable (ByteBuffer) throws -> Bool
    ) async throws -> Bool {
        let handler = handler
        do {
            return try await withTaskCancellationHandler {
                try await channel.eventLoop.flatSubmit { handler.value.push(timeout: timeout, to: receive) }.get()
            } onCancel: {
                close()
            }
        } catch {
            close()
            try Task.checkCancellation()
            throw error
        }
    }

    func close() { channel.close(mode: .all, promise: nil) }
}
