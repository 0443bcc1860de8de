import ArgumentParser
import Cluster
import ConfigurationFile
import Foundation
import Gateway
import Logging
import Models
import Orchestration
import Telemetry
import Transport
import Vocabulary

/// Coordinator and gateway of a cluster whose nodes run elsewhere.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Runs the coordinator and the HTTP API of a configured cluster.",
        discussion: ProgramEnvironment.help("serve"))

    @Option(name: .long, help: "Cluster configuration (see cluster-configs/).")
    var config: String

    @OptionGroup var security: CoordinatorSecurityOptions

    @OptionGroup var serving: ServingOptions

    func validate() throws {
        try serving.validateLimits()
        try security.validate()
    }

    func run() async throws {
        let cluster = try ClusterConfiguration.load(path: config, allowsInsecure: security.insecure)
        let logger = serving.bootstrapLogging(label: "shardline", configured: cluster.logging.level)
        let settings = try settings(cluster)
        let served = try cluster.models.map { try ServedModelFile(path: $0.path, name: $0.name) }
        var options = TransportOptions()
        let security = try security.open(cluster, logger: logger)
        options.allowsNonLoopback = security == nil
        options.programVersion = ProgramVersion.text
        let coordinator = try await CoordinatorService(
            host: cluster.coordinator.host, port: cluster.coordinator.port, models: served.map(\.model),
            settings: settings, security: security, options: options, logger: logger)
        if let security { ReloadSignal.watch { security.update() } }
        logger.info("waiting for nodes at \(cluster.coordinator.host):\(coordinator.port)")
        let program = ServingProgram(
            coordinator: coordinator,
            texts: Dictionary(served.map { ($0.model.profile.name, $0.text) }, uniquingKeysWith: { first, _ in first }),
            gatewaySettings: GatewaySettings(host: cluster.gateway.host, port: cluster.gateway.port), logger: logger)
        try await program.run(onReady: { url in
            print(TopologyTable(topology: await coordinator.topology()).text)
            print("ready: \(url)")
            fflush(nil)
        })
        await coordinator.shutdown()
    }

    private func settings(_ cluster: ClusterConfiguration) throws -> CoordinatorSettings {
        var settings = CoordinatorSettings()
        settings.nodeCountMin = cluster.minimumNodeCount
        for model in cluster.models { settings.modelLimits[model.name] = try limits(of: model, in: cluster) }
        return settings
    }

    /// The file's limits, with the command line's over them.
    private func limits(of model: ClusterConfiguration.Model, in cluster: ClusterConfiguration) throws -> ModelLimits {
        var limits = ModelLimits()
        limits.replicaCount = model.replicaCount
        limits.contextTokenCountMax = model.contextLength
        limits.kvTokenCountMax = model.kvCacheTokenCount
        limits.runningSequenceCountMax = model.sequenceCountMax ?? limits.runningSequenceCountMax
        limits.stepRowCountMax = model.batching.stepRowCountMax
        limits.waitingRequestCountMax = model.batching.waitingRequestCountMax
        limits.waitingRequestCountMaxPerTenant = model.batching.waitingRequestCountMaxPerUser
        limits.requestTimeLimit = model.batching.requestTimeLimitSeconds.map { .seconds(UInt64($0)) }
        serving.apply(to: &limits)
        try serving.checkReplicas(nodeCount: cluster.nodes.count)
        return limits
    }
}
