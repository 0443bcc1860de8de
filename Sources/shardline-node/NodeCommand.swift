import ArgumentParser
import Cluster
import ConfigurationFile
import Foundation
import Identity
import Logging
import Memory
import Telemetry
import Tensors
import Transport
import Vocabulary

/// One node: holds a share of a model's layers and computes them.
@main
struct NodeCommand: AsyncParsableCommand {
    static let twins = EnvironmentDefaults([
        .option("config"), .option("coordinator"), .option("join"), .option("name"), .option("model", short: "m"),
        .option("model-directory"),
        .option("host"), .option("port"), .option("threads", short: "t"), .option("cpus"), .option("numa-node"),
        .option("memory"), .option("weight-cache"), .option("instruction-set"), .option("data-directory"),
        .option("join-token-file"), .option("certificate"), .option("key"), .option("authority"), .toggle("insecure"),
        .option("log-level"),
    ])

    static let configuration = CommandConfiguration(
        commandName: "shardline-node",
        abstract: "Holds a share of a model's layers and computes them for a coordinator.",
        discussion: """
            A node enrols once, with a join token that `shardline token create` prints on the coordinator's host: \
            from a file (--join-token-file) or from SHARDLINE_JOIN_TOKEN.

            \(twins.helpText)
            """, version: ProgramVersion.text)

    @Option(name: .long, help: "Cluster configuration that lists this node.")
    var config: String?

    @Option(name: .long, help: "HOST:PORT of the coordinator, instead of --config.")
    var coordinator: String?

    @Option(name: .long, help: .init("The older name of --coordinator.", visibility: .hidden))
    var join: String?

    @Option(name: .long, help: "This node's lasting name (default: the certificate's, else the host's name).")
    var name: String?

    @OptionGroup var security: NodeSecurityOptions

    @Option(name: [.customShort("m"), .long], help: "GGUF file that may be asked for; can be given several times.")
    var model: [String] = []

    @Option(name: .long, help: "Folder of GGUF files that may be asked for; can be given several times.")
    var modelDirectory: [String] = []

    @Option(name: .long, help: "Address to listen at, and where other nodes reach this one.")
    var host: String?

    @Option(name: .long, help: "Port to listen at; 0 takes a free one.")
    var port: Int?

    @Option(name: [.customShort("t"), .long], help: "Threads that compute (default: all cores).")
    var threads: Int?

    @Option(name: .long, help: "Processors to pin threads to, as in 0-3,8.")
    var cpus: String?

    @Option(name: .long, help: "NUMA node to run on and keep weights on (default: all).")
    var numaNode: Int?

    @Option(name: .long, help: "Memory for weights and KV, as in 8GiB (default: what is available).")
    var memory: String?

    @Option(
        name: .long,
        help: "Folder to keep packed weights in, for models that lie on slow or distant storage (default: none).")
    var weightCache: String?

    @Option(name: .long, help: .hidden)
    var memoryShare = 1

    @Option(name: .long, help: "Kernels to use: \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")).")
    var instructionSet: String?

    @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Flag(name: .long, help: .hidden)
    var stopWithParent = false

    func validate() throws {
        if let logLevel, Telemetry.level(named: logLevel) == nil {
            throw ValidationError("--log-level must be one of \(Telemetry.levelNames.joined(separator: ", "))")
        }
        try security.validate()
    }

    static func main() async {
        do {
            let arguments = try twins.merge(
                into: Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
            var command = try parseAsRoot(arguments)
            if let node = command as? NodeCommand { try await node.run() } else { try command.run() }
        } catch let error as EnvironmentDefaults.Failure {
            fail(error, status: 64)
        } catch let error as ConfigurationError {
            fail(error, status: 78)
        } catch let error as IdentityError {
            fail(error, status: 78)
        } catch  where exitCode(for: error) == .failure {
            fail(error, status: 1)
        } catch {
            exit(withError: error)
        }
    }

    private static func fail(_ error: any Error, status: Int32) -> Never {
        FileHandle.standardError.write(Data("error: \(error)\n".utf8))
        Foundation.exit(status)
    }

    func run() async throws {
        let configured = try ConfiguredNode(path: config, name: name, allowsInsecure: security.insecure)
        let level = logLevel ?? configured?.logLevel ?? "info"
        Telemetry.bootstrap(level: Telemetry.level(named: level) ?? .info)
        var settings = try settings(configured)
        var logger = Logger(label: settings.node.name)
        let security = try await security.open(
            configured, name: name, fallbackName: settings.node,
            coordinator: (settings.coordinatorHost, settings.coordinatorPort), logger: logger)
        if let security {
            settings.node = security.name
            logger = Logger(label: settings.node.name)
            ReloadSignal.watch { security.reload() }
        }
        var options = TransportOptions()
        options.allowsNonLoopback = security == nil
        options.programVersion = ProgramVersion.text
        let service = try await NodeService(settings: settings, security: security, options: options, logger: logger)
        let running = Task { await service.run() }
        StopSignals.watch(ignoresInterrupt: stopWithParent) { running.cancel() }
        if stopWithParent { Self.stopWhenStandardInputEnds() }
        await running.value
    }

    /// The parent holds the other end of standard input: its end is the parent's end, whatever killed it.
    private static func stopWhenStandardInputEnds() {
        let thread = Thread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { _exit(0) }
            }
        }
        thread.start()
    }

    private func settings(_ configured: ConfiguredNode?) throws -> NodeSettings {
        let name = name ?? configured?.node.id.name ?? ProcessInfo.processInfo.hostName
        guard let node = NodeID(name) else {
            throw ValidationError("--name '\(name)' must be 1 to 64 characters out of a-z A-Z 0-9 . _ -")
        }
        guard let address = coordinator ?? join ?? configured?.coordinator else {
            throw ValidationError("give --config FILE, or --coordinator HOST:PORT")
        }
        guard let coordinator = HostAndPort(address) else {
            throw ValidationError("--coordinator must be HOST:PORT, not '\(address)'")
        }
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let threadCount = threads ?? configured?.node.threadCount ?? cores
        guard (1...ComputeContext.threadCountMax).contains(threadCount) else {
            throw ValidationError("--threads must be 1 to \(ComputeContext.threadCountMax), not \(threadCount)")
        }
        let port = port ?? configured?.node.port ?? 0
        guard (0...65535).contains(port) else { throw ValidationError("--port must be 0 to 65535, not \(port)") }
        guard memoryShare >= 1 else { throw ValidationError("--memory-share must be at least 1") }
        let memoryBytes = memory.flatMap(ByteSize.parse)
        if let memory, memoryBytes == nil {
            throw ValidationError("--memory must be a size as in 8GiB, not '\(memory)'")
        }
        let processors = cpus.flatMap(CPUList.parse)
        if let cpus, processors == nil { throw ValidationError("--cpus must be as in 0-3,8, not '\(cpus)'") }
        let bytes =
            memoryBytes ?? configured?.node.memoryLimitBytes ?? NumaTopology.availableMemoryBytes / UInt64(memoryShare)
        var settings = NodeSettings(
            node: node, coordinatorHost: coordinator.host, coordinatorPort: coordinator.port,
            threadCount: threadCount, memoryLimitBytes: bytes)
        settings.host = host ?? configured?.node.host ?? "127.0.0.1"
        settings.port = port
        settings.cpus = processors ?? configured?.node.cpus
        settings.numaNode = numaNode ?? configured?.node.numaNode
        settings.modelFiles = model + (configured?.modelFiles ?? [])
        settings.modelFolders = modelDirectory
        settings.weightCacheFolder = weightCache ?? configured?.node.weightCacheDirectory
        settings.version = ProgramVersion.text
        if let instructionSet {
            guard let set = InstructionSet(rawValue: instructionSet), InstructionSet.available.contains(set) else {
                let known = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--instruction-set must be one of this machine's: \(known)")
            }
            settings.instructionSet = set
        }
        return settings
    }
}
