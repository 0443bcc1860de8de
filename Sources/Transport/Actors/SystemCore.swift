import Logging
import Memory
import Vocabulary
import Wire

/// What a system that is not only probing has.
final class SystemCore: Sendable {
    let identity: PeerIdentity
    let loop: EventLoop
    let methods: MethodTable
    let options: TransportOptions
    let directory = ActorDirectory()
    let dispatcher: Dispatcher
    let peers: PeerManager

    init(
        identity: PeerIdentity, loop: EventLoop, methods: MethodTable, options: TransportOptions, pool: BufferPool,
        logger: Logger, onPeerEvent: @escaping @Sendable (PeerEvent) -> Void
    ) {
        self.identity = identity
        self.loop = loop
        self.methods = methods
        self.options = options
        dispatcher = Dispatcher(methods: methods, directory: directory, logger: logger)
        peers = PeerManager(
            identity: identity, loop: loop, options: options, pool: pool, logger: logger, dispatcher: dispatcher,
            onEvent: onPeerEvent)
    }

    private func peer(_ node: NodeID) throws(TransportError) -> Peer {
        guard let peer = peers.peer(node) else {
            throw TransportError(.notConnected, "there is no connection to \(node)", peer: node)
        }
        return peer
    }

    private func method(_ target: String) throws(TransportError) -> MethodTable.Entry {
        guard let method = methods.method(target: target) else {
            throw TransportError(.invalidMethod, "\(target) has no number: the method table lacks it")
        }
        return method
    }

    /// Queues a one-way message or makes a call without a result.
    func tell(_ address: ActorAddress, target: String, message: any WireValue) async throws {
        let method = try method(target)
        guard method.isOneWay else {
            _ = try await call(address, method, message, resultType: Empty.self)
            return
        }
        let peer = try peer(address.node)
        let lane = peer[method.lane]
        let frame = try Self.sendable(peer, method) { () throws(WireError) in
            try peer.frame(.oneWay, message, method: method.number, object: address.object, on: lane)
        }
        guard method.lane == .control else {
            return try await peer.send(frame, on: lane, deadline: ClusterActorSystem.deadline)
        }
        try await peer.sendKept(frame, deadline: ClusterActorSystem.deadline)
    }

    func call<Result: WireValue>(
        _ address: ActorAddress, target: String, message: any WireValue
    ) async throws -> Result {
        let method = try method(target)
        let value = try await call(address, method, message, resultType: Result.self)
        guard let result = value as? Result else {
            throw TransportError(.invalidMessage, "\(method.name) has another result", peer: address.node)
        }
        return result
    }

    private func call(
        _ address: ActorAddress, _ method: MethodTable.Entry, _ message: any WireValue,
        resultType: any WireValue.Type
    ) async throws -> any WireValue {
        let peer = try peer(address.node)
        let lane = peer[method.lane]
        let number = peer.calls.nextNumber()
        let frame = try Self.sendable(peer, method) { () throws(WireError) in
            try peer.frame(.call, message, method: method.number, call: number, object: address.object, on: lane)
        }
        let deadline = ClusterActorSystem.deadline ?? EventLoop.now + options.callDeadline
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = loop.schedule(at: deadline) { [weak peer] in
                    let error = TransportError(
                        .deadlineExceeded, "\(address.node) did not answer \(method.name) within its deadline",
                        peer: address.node)
                    peer?.abandon(number, on: lane, error: error)
                }
                let waiting = CallTable.Waiting(continuation: continuation, resultType: resultType, timer: timer, lane: method.lane)
                if let closed = peer.calls.add(number, waiting) {
                    timer.cancel()
                    return continuation.resume(throwing: closed)
                }
                if case .closed(let error) = lane.outbound.place(frame, ticket: Peer.ticket(ofCall: number)) {
                    peer.calls.take(number)?.continuation.resume(throwing: error)
                }
                // Cancelled before there was anything to cancel.
                if Task.isCancelled { peer.abandon(number, on: lane, error: CancellationError()) }
            }
        } onCancel: {
            peer.abandon(number, on: lane, error: CancellationError())
        }
    }

    /// A message that has no form on the wire is the caller's error.
    private static func sendable(
        _ peer: Peer, _ method: MethodTable.Entry, _ frame: () throws(WireError) -> OutboundFrame
    ) throws(TransportError) -> OutboundFrame {
        do {
            return try frame()
        } catch {
            throw TransportError(
                .invalidMessage, "\(method.name) cannot be sent to \(peer.identity.node): \(error.message)",
                peer: peer.identity.node)
        }
    }
}
