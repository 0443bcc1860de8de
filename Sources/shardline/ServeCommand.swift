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

    /// The file's limits, with the command line's over them. The coordinator has one set for all models.
    private func settings(_ cluster: ClusterConfiguration) throws -> CoordinatorSettings {
        var settings = CoordinatorSettings()
        settings.nodeCountMin = cluster.minimumNodeCount
        settings.stepRowCountMax = cluster.batching.stepRowCountMax
        settings.waitingRequestCountMax = cluster.batching.waitingRequestCountMax
        settings.waitingRequestCountMaxPerTenant = cluster.batching.waitingRequestCountMaxPerUser
        settings.requestTimeLimit = cluster.batching.requestTimeLimitSeconds.map { .seconds(UInt64($0)) }
        let limits = Set(cluster.models.map { [$0.contextLength, $0.kvCacheTokenCount, $0.sequenceCountMax] })
        guard limits.count <= 1 else {
            throw BadConfiguration(
                "\(config): models: context_length, kv_cache_tokens and max_num_seqs must be the same for all models; "
                    + "limits of each model are not supported yet")
        }
        if let model = cluster.models.first {
            settings.contextTokenCountMax = model.contextLength
            settings.kvTokenCountMax = model.kvCacheTokenCount
            settings.runningSequenceCountMax = model.sequenceCountMax ?? settings.runningSequenceCountMax
        }
        serving.apply(to: &settings)
        return settings
    }
}
