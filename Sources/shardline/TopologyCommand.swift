import ArgumentParser
import Cluster
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

    @Flag(name: .long, help: "Allow a plain connection beyond loopback.")
    var insecure = false

    func validate() throws { _ = try HostAndPort(coordinator, flag: "--coordinator") }

    func run() async throws {
        Telemetry.bootstrap(level: .warning)
        let address = try HostAndPort(coordinator, flag: "--coordinator")
        var options = TransportOptions()
        options.allowsNonLoopback = insecure
        let client = try await OperatorClient(
            host: address.host, port: address.port, options: options, logger: Logger(label: "topology"))
        let table = TopologyTable(topology: try await client.topology())
        print(json ? table.json : table.text)
        await client.close()
    }
}

/// `host:port` or `[v6 address]:port` as a flag gives it.
struct HostAndPort {
    let host: String
    let port: Int

    init(_ text: String, flag: String) throws {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65535).contains(port), colon > text.startIndex
        else { throw ValidationError("\(flag) must be HOST:PORT, not '\(text)'") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        self.host = host
        self.port = port
    }
}
