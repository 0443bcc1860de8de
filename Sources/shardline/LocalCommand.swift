import ArgumentParser
import Cluster
import Foundation
import Gateway
import Identity
import Logging
import Models
import Orchestration
import Transport
import Vocabulary

/// Coordinator and gateway in this process, N nodes in processes of their own, all on loopback.
struct LocalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "local", abstract: "Runs a whole cluster on this host: coordinator, gateway and N nodes.",
        discussion: ProgramEnvironment.help("local"))

    @Option(name: [.customShort("m"), .long], help: "GGUF file of the model.")
    var model: String

    @Option(name: .long, help: "Node processes.")
    var nodes = 3

    @Option(name: [.customShort("t"), .long], help: "Threads that compute, per node (default: the cores, shared out).")
    var threads: Int?

    @Option(name: .long, help: "Port of the HTTP API on 127.0.0.1; 0 takes a free one.")
    var port = 8080

    @Option(name: .long, help: "Port of the coordinator on 127.0.0.1; 0 takes a free one.")
    var clusterPort = 0

    @Option(name: .long, help: "The name under which the model is served (default: the file's name).")
    var servedModelName: String?

    @Option(name: .long, help: "Folder where the nodes keep packed weights from start to start (default: none).")
    var weightCache: String?

    @Flag(name: .long, help: "Plain text between the processes, nobody authenticated.")
    var insecure = false

    @OptionGroup var serving: ServingOptions

    func validate() throws {
        guard (1...256).contains(nodes) else { throw ValidationError("--nodes must be 1 to 256, not \(nodes)") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads must be 1 to 1024, not \(threads)")
        }
        for (name, port) in [("--port", port), ("--cluster-port", clusterPort)] where !(0...65535).contains(port) {
            throw ValidationError("\(name) must be 0 to 65535, not \(port)")
        }
        try serving.validateLimits()
        try serving.checkReplicas(nodeCount: nodes)
    }

    func run() async throws {
        let logger = serving.bootstrapLogging(label: "shardline")
        let served = try ServedModelFile(path: model, name: servedModelName)
        var settings = CoordinatorSettings()
        settings.nodeCountMin = nodes
        serving.apply(to: &settings.limits)
        let authority = try authority(logger: logger)
        defer { authority?.remove() }
        let security = try authority.map {
            try CoordinatorSecurity(
                .authority($0.authority, lifetimeSeconds: Self.certificateLifetimeSeconds), logger: logger)
        }
        let coordinator = try await CoordinatorService(
            host: "127.0.0.1", port: clusterPort, models: [served.model], settings: settings, security: security,
            options: TransportOptions(), logger: logger)
        let processes = NodeProcesses()
        do {
            for index in 1...nodes {
                try processes.start(
                    arguments: nodeArguments(index: index, clusterPort: coordinator.port, authority: authority))
            }
            let server = ServingProgram(
                coordinator: coordinator, texts: [served.model.profile.name: served.text],
                gatewaySettings: GatewaySettings(host: "127.0.0.1", port: port), logger: logger)
            try await server.run(
                watchNodes: { [processes, logger] in
                    for note in try processes.restartEnded() { logger.warning("\(note)") }
                },
                onReady: { url in
                    print(TopologyTable(topology: await coordinator.topology()).text)
                    print("cluster port: \(coordinator.port)")
                    print("ready: \(url)")
                    fflush(nil)
                })
        } catch {
            await processes.stop()
            await coordinator.shutdown()
            throw error
        }
        await processes.stop()
        await coordinator.shutdown()
    }

    private static let certificateLifetimeSeconds: Int64 = 86_400

    /// Nil for plain text. Nodes find ready credentials in folders of their own: what is on a command line, others see.
    private func authority(logger: Logger) throws -> LocalAuthority? {
        guard !insecure else {
            logger.warning("INSECURE: links are plain text and nobody is authenticated")
            return nil
        }
        if let root = try? StatePlace.root(ProcessInfo.processInfo.environment),
            let authority = try? LocalAuthority(root: root)
        {
            return authority
        }
        // Without a place for state commands of other terminals don't find it by the port alone.
        // A name that nobody can have made before: the folder for temporary files is everybody's.
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("shardline-\(UUID().uuidString)")
        let authority = try LocalAuthority(root: root.path, isTemporary: true)
        logger.notice("certificates are kept in \(authority.authority.folder.path)")
        return authority
    }

    private func nodeArguments(index: Int, clusterPort: Int, authority: LocalAuthority?) throws -> [String] {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        guard let name = NodeID("node-\(index)") else { throw BadConfiguration("node-\(index) is no name") }
        var arguments = [
            "--coordinator", "127.0.0.1:\(clusterPort)", "--name", name.name, "--model", model,
            "--threads", "\(threads ?? max(1, cores / nodes))", "--memory-share", "\(nodes)",
            "--log-level", serving.logLevel ?? "info",
        ]
        if let authority {
            let folder = try authority.makeNodeFolder(name, lifetimeSeconds: Self.certificateLifetimeSeconds)
            arguments += ["--data-directory", folder]
        } else {
            arguments.append("--insecure")
        }
        if let weightCache { arguments += ["--weight-cache", weightCache] }
        if let set = serving.instructionSet { arguments += ["--instruction-set", set] }
        return arguments
    }
}
