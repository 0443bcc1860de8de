import Cluster
import Foundation
import Gateway
import Logging
import Models
import ServiceLifecycle
import Telemetry
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
            logger: logger, metricsText: { Telemetry.metrics.prometheusText() },
            onBound: { portContinuation.yield($0) })
        let host = gatewaySettings.host
        let watcher = Watcher(
            coordinator: coordinator, logger: logger, watchNodes: watchNodes,
            announce: {
                var iterator = ports.makeAsyncIterator()
                if let port = await iterator.next() { await onReady("http://\(host):\(port)") }
            })
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: gateway), .init(service: watcher, successTerminationBehavior: .ignore),
                ],
                logger: logger))
        StopSignals.watch { Task { await group.triggerGracefulShutdown() } }
        try await group.run()
    }
}

/// Says when the cluster is ready and how busy it is, and looks after its node processes.
private struct Watcher: Service {
    let coordinator: CoordinatorService
    let logger: Logger
    let watchNodes: @Sendable () throws -> Void
    let announce: @Sendable () async -> Void

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            let clock = ContinuousClock()
            let start = clock.now
            var throughput = ThroughputLog()
            var isAnnounced = false
            while !Task.isCancelled {
                try watchNodes()
                if !isAnnounced, await coordinator.unreadyReason() == nil {
                    isAnnounced = true
                    await announce()
                }
                let sample = await coordinator.throughputSample()
                Self.show(await coordinator.topology())
                let elapsed = (clock.now - start).components
                let nanoseconds = UInt64(elapsed.seconds) * 1_000_000_000 + UInt64(elapsed.attoseconds / 1_000_000_000)
                if let line = throughput.line(for: sample, atNanoseconds: nanoseconds) { logger.info("\(line)") }
                do { try await clock.sleep(for: .milliseconds(isAnnounced ? 500 : 20)) } catch { return }
            }
        }
    }

    /// Gauges for `/metrics`; the counters are kept where tokens are counted.
    private static func show(_ topology: Topology) {
        let metrics = Telemetry.metrics
        for pipeline in topology.pipelines {
            let model = ("model_name", pipeline.model)
            let labels = [model, ("replica", "\(pipeline.replica)")]
            let blockCount = Double(max(1, pipeline.blockCount))
            metrics.gauge("num_requests_running", help: "Requests that hold KV.", labels: labels)
                .set(pipeline.runningCount)
            metrics.gauge("kv_cache_usage_perc", help: "Share of KV blocks in use, 0 to 1.", labels: labels)
                .set(Double(pipeline.blockCount - pipeline.freeBlockCount) / blockCount)
            metrics.gauge("num_requests_waiting", help: "Requests that wait for any replica.", labels: [model])
                .set(pipeline.waitingCount)
        }
    }
}
