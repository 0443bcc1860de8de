import ArgumentParser
import Cluster
import ConfigurationFile
import Foundation
import Identity
import Logging
import Telemetry
import Transport

/// Shows nodes and placement of a running cluster.
struct TopologyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topology", abstract: "Shows the nodes of a running cluster and which layers they hold.",
        discussion: ProgramEnvironment.help("topology"))

    @Option(name: .long, help: "HOST:PORT of the coordinator.")
    var coordinator = "127.0.0.1:7400"

    @Flag(name: .long, help: "JSON instead of a table.")
    var json = false

    @OptionGroup var access: OperatorOptions

    func validate() throws {
        _ = try address()
        try access.validate()
    }

    private func address() throws -> HostAndPort {
        guard let address = HostAndPort(coordinator) else {
            throw ValidationError("--coordinator must be HOST:PORT, not '\(coordinator)'")
        }
        return address
    }

    func run() async throws {
        Telemetry.bootstrap(level: .warning)
        let address = try address()
        var options = TransportOptions()
        let credentials = try access.credentials(coordinator: address)
        options.allowsNonLoopback = credentials == nil
        let client = try await OperatorClient(
            host: address.host, port: address.port, credentials: credentials, options: options,
            logger: Logger(label: "topology"))
        let table = TopologyTable(topology: try await client.topology())
        print(json ? table.json : table.text)
        await client.close()
    }
}
