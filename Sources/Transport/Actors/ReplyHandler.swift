public import Distributed
import Logging
import Vocabulary
public import Wire

/// Sends what a method returned or threw back to its caller; of one-way methods it logs errors.
public struct ReplyHandler: DistributedTargetInvocationResultHandler {
    public typealias SerializationRequirement = any WireValue

    let peer: Peer
    let lane: LaneConnection
    let method: MethodTable.Entry
    /// Nil for one-way messages.
    let call: UInt64?
    let logger: Logger

    public func onReturn<Success: WireValue>(value: Success) async throws {
        await reply(value)
    }

    public func onReturnVoid() async throws {
        await reply(Empty())
    }

    public func onThrow<Err: Error>(error: Err) async throws {
        await fail(Self.failure(of: error))
    }

    func reply(_ value: any WireValue) async {
        guard let call else { return }
        do {
            let frame = try peer.frame(.reply, value, method: method.number, call: call, on: lane)
            try await peer.send(frame, on: lane)
        } catch let error as WireError {
            await fail(RemoteFailure(code: RemoteFailure.Code.internalError, message: error.message))
        } catch {
            // The connection went; the caller knows.
        }
    }

    func fail(_ failure: RemoteFailure) async {
        guard let call else {
            logger.notice("\(method.name) of \(peer.identity.node): \(failure)")
            return
        }
        do {
            let frame = try peer.frame(.failure, failure, method: method.number, call: call, on: lane)
            try await peer.send(frame, on: lane)
        } catch {
            logger.debug("no answer to \(method.name) of \(peer.identity.node): \(error)")
        }
    }

    static func failure(of error: any Error) -> RemoteFailure {
        switch error {
        case let failure as RemoteFailure: failure
        case is CancellationError:
            RemoteFailure(code: RemoteFailure.Code.cancelled, message: "the call was cancelled")
        default: RemoteFailure(code: RemoteFailure.Code.internalError, message: String(describing: error))
        }
    }
}
