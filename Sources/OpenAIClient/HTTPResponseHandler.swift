import NIOCore
import NIOHTTP1

/// Why a connection gives nothing more.
enum ConnectionEnd: Error, Hashable {
    case closed
    case timeout
    case malformed(String)
}

/// The end of a connection's pipeline: keeps what has arrived until it is asked for, and reads from the socket only
/// when somebody waits, so a slow consumer holds the server up instead of filling the memory. Used on its event
/// loop only.
final class HTTPResponseHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private var parts = CircularBuffer<HTTPClientResponsePart>()
    private var waiter: EventLoopPromise<HTTPClientResponsePart>?
    private var deadline: Scheduled<Void>?
    private var end: ConnectionEnd?
    private var context: ChannelHandlerContext?
    private let eventLoop: any EventLoop

    /// Whether nothing is left over from the exchange before.
    var isIdle: Bool { parts.isEmpty && waiter == nil && end == nil }

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// What has arrived is handed out first, even when the connection has ended since.
    func next(timeout: TimeAmount) -> EventLoopFuture<HTTPClientResponsePart> {
        if let part = parts.popFirst() { return eventLoop.makeSucceededFuture(part) }
        guard waiter == nil else {
            return eventLoop.makeFailedFuture(ConnectionEnd.malformed("two readers at once"))
        }
        guard let context, end == nil else { return eventLoop.makeFailedFuture(end ?? .closed) }
        let promise = eventLoop.makePromise(of: HTTPClientResponsePart.self)
        waiter = promise
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        deadline = eventLoop.scheduleTask(in: timeout) { bound.value.finish(.timeout) }
        context.read()
        return promise.futureResult
    }

    private func finish(_ end: ConnectionEnd) {
        if self.end == nil { self.end = end }
        deadline?.cancel()
        deadline = nil
        let promise = waiter
        waiter = nil
        promise?.fail(self.end ?? end)
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(.closed)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard let promise = waiter else { return parts.append(part) }
        waiter = nil
        deadline?.cancel()
        deadline = nil
        promise.succeed(part)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if waiter != nil { context.read() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: finish(.closed)
        case let error as HTTPParserError: finish(.malformed("not HTTP: \(error)"))
        case is IOError, is ChannelError: finish(.closed)
        default: finish(.malformed("\(error)"))
        }
    }
}
