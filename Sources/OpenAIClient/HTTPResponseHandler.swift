import NIOCore
import NIOHTTP1

/// Why a connection gives nothing more.
enum ConnectionEnd: Error, Hashable {
    case closed
    case timeout
    case malformed(String)
}

/// Where the pieces of an answer's body go.
private struct PushedBody {
    let receive: (ByteBuffer) throws -> Bool
    let promise: EventLoopPromise<Bool>
    var lastTime: NIODeadline
    let timeout: TimeAmount
}

/// The end of a connection's pipeline: keeps what has arrived until it is asked for, and reads from the socket only
/// when somebody waits, so a slow consumer holds the server up instead of filling the memory. Used on its event
/// loop only.
final class HTTPResponseHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private var parts = CircularBuffer<HTTPClientResponsePart>()
    private var waiter: EventLoopPromise<HTTPClientResponsePart>?
    private var pushed: PushedBody?
    private var deadline: Scheduled<Void>?
    private var end: ConnectionEnd?
    private var context: ChannelHandlerContext?
    private let eventLoop: any EventLoop

    /// Whether nothing is left over from the exchange before.
    var isIdle: Bool { parts.isEmpty && waiter == nil && pushed == nil && end == nil }

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

    /// Hands each piece of the body to `receive` as it arrives, without a way through another thread, until the
    /// answer's end, or until `receive` returns false or throws.
    /// - Returns: whether the answer has ended.
    func push(
        timeout: TimeAmount, to receive: @escaping (ByteBuffer) throws -> Bool
    ) -> EventLoopFuture<Bool> {
        guard waiter == nil, pushed == nil else {
            return eventLoop.makeFailedFuture(ConnectionEnd.malformed("two readers at once"))
        }
        let promise = eventLoop.makePromise(of: Bool.self)
        pushed = PushedBody(receive: receive, promise: promise, lastTime: .now(), timeout: timeout)
        while pushed != nil, let part = parts.popFirst() { take(part) }
        guard pushed != nil else { return promise.futureResult }
        guard let context, end == nil else {
            pushed = nil
            promise.fail(end ?? .closed)
            return promise.futureResult
        }
        watchPush()
        context.read()
        return promise.futureResult
    }

    private func take(_ part: HTTPClientResponsePart) {
        switch part {
        case .head: break
        case .body(let buffer):
            pushed?.lastTime = .now()
            do {
                if try pushed?.receive(buffer) == false { endPush { $0.succeed(false) } }
            } catch {
                endPush { $0.fail(error) }
            }
        case .end:
            endPush { $0.succeed(true) }
        }
    }

    private func endPush(_ end: (EventLoopPromise<Bool>) -> Void) {
        guard let promise = pushed?.promise else { return }
        pushed = nil
        deadline?.cancel()
        deadline = nil
        end(promise)
    }

    /// One timer for all pieces: it looks when the last one came.
    private func watchPush() {
        guard let pushed else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        deadline = eventLoop.scheduleTask(deadline: pushed.lastTime + pushed.timeout) {
            let handler = bound.value
            guard let pushed = handler.pushed else { return }
            if pushed.lastTime + pushed.timeout <= .now() { handler.finish(.timeout) } else { handler.watchPush() }
        }
    }

    private func finish(_ end: ConnectionEnd) {
        if self.end == nil { self.end = end }
        deadline?.cancel()
        deadline = nil
        let promise = waiter
        waiter = nil
        promise?.fail(self.end ?? end)
        endPush { $0.fail(self.end ?? end) }
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish(.closed)
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if pushed != nil { return take(part) }
        guard let promise = waiter else { return parts.append(part) }
        waiter = nil
        deadline?.cancel()
        deadline = nil
        promise.succeed(part)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if waiter != nil || pushed != nil { context.read() }
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
