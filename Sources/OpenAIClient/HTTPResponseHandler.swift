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

    /// Whether nothing is left over from the exchange before.
    var isIdle: Bool { parts.isEmpty && waiter == nil && end == nil }

    func next(timeout: TimeAmount) -> EventLoopFuture<HTTPClientResponsePart> {
        guard let context else { return failed(.closed) }
        let promise = context.eventLoop.makePromise(of: HTTPClientResponsePart.self)
        if let part = parts.popFirst() {
            promise.succeed(part)
        } else if let end {
            promise.fail(end)
        } else if waiter != nil {
            promise.fail(ConnectionEnd.malformed("two readers at once"))
        } else {
            waiter = promise
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            deadline = context.eventLoop.scheduleTask(in: timeout) { bound.value.finish(.timeout) }
            context.read()
        }
        return promise.futureResult
    }

    private var loop: (any EventLoop)?

    private func failed(_ end: ConnectionEnd) -> EventLoopFuture<HTTPClientResponsePart> {
        // The context goes only after the handler was added, which sets the loop.
        guard let loop else { preconditionFailure("the handler was never in a pipeline") }
        return loop.makeFailedFuture(self.end ?? end)
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

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop = context.eventLoop
    }

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
