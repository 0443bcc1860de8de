import Cluster
import Foundation
import Gateway
import Logging
import Models
import ServiceLifecycle
import UnixSignals
import Vocabulary

/// Runs the gateway over a coordinator until a signal comes; the first drains, the second ends at once.
struct ServingProgram {
    let coordinator: CoordinatorService
    let texts: [String: TextModel]
    let gatewaySettings: GatewaySettings
    let logger: Logger

    /// - Parameters:
    ///   - watchNodes: called now and then; serving ends with what it throws.
    ///   - onReady: called once with the API's URL, when every model is served.
    func run(
        watchNodes: @escaping @Sendable () throws -> Void = {},
        onReady: @escaping @Sendable (String) async -> Void
    ) async throws {
        let (ports, portContinuation) = AsyncStream<Int>.makeStream()
        let gateway = Gateway(
            settings: gatewaySettings, service: coordinator, texts: texts, version: ProgramVersion.text,
            logger: logger, onBound: { portContinuation.yield($0) })
        let host = gatewaySettings.host
        let watcher = Watcher(
            coordinator: coordinator, watchNodes: watchNodes,
            announce: {
                var iterator = ports.makeAsyncIterator()
                if let port = await iterator.next() { await onReady("http://\(host):\(port)") }
            })
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: gateway), .init(service: watcher, successTerminationBehavior: .ignore),
                ],
                gracefulShutdownSignals: [.sigint, .sigterm], logger: logger))
        try await group.run()
    }
}

/// Says when the cluster is ready, and looks after its node processes.
private struct Watcher: Service {
    let coordinator: CoordinatorService
    let watchNodes: @Sendable () throws -> Void
    let announce: @Sendable () async -> Void

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            var isAnnounced = false
            while !Task.isCancelled {
                try watchNodes()
                if !isAnnounced, await coordinator.unreadyReason() == nil {
                    isAnnounced = true
                    await announce()
                }
                do { try await Task.sleep(for: .milliseconds(isAnnounced ? 500 : 20)) } catch { return }
            }
        }
    }
}
