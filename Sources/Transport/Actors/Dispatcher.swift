import Logging
import Synchronization
import Wire

/// Checks what peers ask for, and has actors do it.
final class Dispatcher: Sendable {
    let methods: MethodTable
    let directory: ActorDirectory
    let logger: Logger
    private let system = Mutex(WeakSystem())

    private struct WeakSystem: Sendable {
        weak var system: ClusterActorSystem?
    }

    init(methods: MethodTable, directory: ActorDirectory, logger: Logger) {
        self.methods = methods
        self.directory = directory
        self.logger = logger
    }

    func attach(_ system: ClusterActorSystem) { self.system.withLock { $0.system = system } }

    /// The method that a frame asks for, or why it is not executed.
    func check(_ header: FrameHeader, on lane: Lane) -> Result<MethodTable.Entry, RemoteFailure> {
        guard let method = methods.method(number: header.method) else {
            return .failure(
                RemoteFailure(code: RemoteFailure.Code.unknownMethod, message: "there is no method \(header.method)"))
        }
        guard method.lane == lane, method.isOneWay == (header.kind == .oneWay) else {
            let way = method.isOneWay ? "is told (oneWay)" : "is called (call)"
            return .failure(
                RemoteFailure(
                    code: RemoteFailure.Code.wrongLane,
                    message: "\(method.name) \(way) on the \(method.lane) lane, not by \(header.kind) on \(lane)"))
        }
        guard let entry = directory[header.actor], entry.actor() != nil else {
            return .failure(Self.unknownObject(header.actor, method))
        }
        guard entry.type == method.actorType else {
            return .failure(
                RemoteFailure(
                    code: RemoteFailure.Code.unknownMethod,
                    message: "object \(header.actor) has no method \(method.name)"))
        }
        return .success(method)
    }

    private static func unknownObject(_ object: UInt64, _ method: MethodTable.Entry) -> RemoteFailure {
        RemoteFailure(
            code: RemoteFailure.Code.unknownObject, message: "there is no object \(object) here (\(method.name))")
    }

    /// Executes a method and answers its call.
    func execute(_ delivery: Mailbox.Delivery, from peer: Peer) async {
        let handler = ReplyHandler(
            peer: peer, lane: delivery.lane, method: delivery.method, call: delivery.call?.number, logger: logger)
        // The actor of this number may have been replaced since the frame came.
        guard let system = system.withLock({ $0.system }), let entry = directory[delivery.object],
            entry.type == delivery.method.actorType
        else { return await handler.fail(Self.unknownObject(delivery.object, delivery.method)) }
        do {
            let isDone = try await ClusterActorSystem.$sender.withValue(peer.identity) {
                try await entry.execute(system, delivery.method, delivery.message, handler)
            }
            if !isDone { await handler.fail(Self.unknownObject(delivery.object, delivery.method)) }
        } catch {
            await handler.fail(ReplyHandler.failure(of: error))
        }
    }
}
