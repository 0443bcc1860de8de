import NIOCore
import Synchronization

/// Tells when the client of a connection has gone: it closed the connection, or its sending half.
///
/// A client that only shuts down its sending half after a request looks the same as one that closed the connection,
/// until something is written to it; a long generation for nobody costs more than such a client is worth.
/// Watching here, beside the stream of requests, leaves the connection usable for the next request.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private struct State {
        var isGone = false
        var nextWatcher = 0
        var watchers: [Int: @Sendable () -> Void] = [:]
    }
    private let state = Mutex(State())

    /// Calls `onGone` once, on any thread, when the client goes away, at once when it has; nil in that case.
    func add(_ onGone: @escaping @Sendable () -> Void) -> Int? {
        let watcher: Int? = state.withLock { state in
            guard !state.isGone else { return nil }
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = onGone
            return state.nextWatcher
        }
        if watcher == nil { onGone() }
        return watcher
    }

    func remove(_ watcher: Int) {
        state.withLock { _ = $0.watchers.removeValue(forKey: watcher) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { clientHasGone() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        clientHasGone()
        context.fireChannelInactive()
    }

    private func clientHasGone() {
        let watchers = state.withLock { state in
            state.isGone = true
            defer { state.watchers = [:] }
            return state.watchers.values.map { $0 }
        }
        for watcher in watchers { watcher() }
    }
}
