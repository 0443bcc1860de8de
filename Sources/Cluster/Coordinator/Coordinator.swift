public import Distributed
import Orchestration
public import Transport
import Vocabulary
public import Wire

/// The coordinator as its nodes see it. Each method checks who speaks and hands an event to the shell.
public distributed actor Coordinator {
    public typealias ActorSystem = ClusterActorSystem

    private let shell: CoordinatorShell
    private let security: CoordinatorSecurity?

    public nonisolated var unownedExecutor: UnownedSerialExecutor { actorSystem.loop.asUnownedSerialExecutor() }

    init(shell: CoordinatorShell, security: CoordinatorSecurity?, actorSystem: ClusterActorSystem) {
        self.shell = shell
        self.security = security
        self.actorSystem = actorSystem
    }

    /// A node joins, or joins again after it lost the coordinator.
    public distributed func register(_ request: RegisterRequest) async throws -> RegisterReply {
        let sender = try Caller.require(.node)
        guard request.description.node == sender.node, request.description.incarnation == sender.incarnation else {
            throw RemoteFailure(
                code: RemoteFailure.Code.forbidden,
                message: "'\(sender.node)' may not register as '\(request.description.node)'")
        }
        return try await shell.register(request.description)
    }

    public distributed func stagePrepared(_ message: StagePrepared) async throws {
        let node = try Caller.require(.node).node
        await shell.handle(.stagePrepared(node, message.pipeline, message.stamp.epoch, message.stamp.term))
    }

    public distributed func stageFailed(_ message: StageFailed) async throws {
        let node = try Caller.require(.node).node
        await shell.handle(
            .stageFailed(node, message.pipeline, message.stamp.epoch, message.stamp.term, reason: message.reason))
    }

    public distributed func stageProgress(_ message: StageProgress) async throws {
        let node = try Caller.require(.node).node
        await shell.handle(
            .stageProgressed(
                node, message.pipeline, message.stamp.epoch, message.stamp.term, doneBytes: message.doneBytes,
                totalBytes: message.totalBytes))
    }

    public distributed func stepFinished(_ message: StepFinished) async throws {
        let node = try Caller.require(.node).node
        await shell.handle(.stepFinished(node, message.result, message.stamp.term))
    }

    public distributed func stepFailed(_ message: StepFailed) async throws {
        let node = try Caller.require(.node).node
        await shell.handle(
            .stepFailed(
                node, message.pipeline, message.stamp.epoch, message.stamp.step, message.stamp.term,
                reason: message.reason))
    }

    public distributed func nodeLeaving(_ message: NodeLeaving) async throws {
        let sender = try Caller.require(.node)
        await shell.handle(
            .nodeLost(sender.node, sender.incarnation, reason: "left the cluster: \(message.reason)"))
    }

    /// The sender's next certificate, for its own name.
    public distributed func renewCertificate(_ request: RenewCertificate) async throws -> Enrolled {
        let node = try Caller.require(.node).node
        guard let security else {
            throw RemoteFailure(
                code: RemoteFailure.Code.refused, message: "this cluster runs without certificates (--insecure)")
        }
        return try await security.renew(request, of: node)
    }
}
