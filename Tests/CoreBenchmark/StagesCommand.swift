import ArgumentParser
import Cluster
import Foundation
import Identity
import Logging
import Memory
import Transport
import Vocabulary
import Wire

/// Two nodes in one process; started by `lanes`.
struct StagesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stages", abstract: "Nodes that compute nothing; started by lanes.", shouldDisplay: false)

    @Option(help: "Port of the coordinator on 127.0.0.1.")
    var coordinatorPort: Int

    @Option(help: "Folder of a node's certificate, one for each node (default: plain text).")
    var folder: [String] = []

    func validate() throws {
        guard folder.isEmpty || folder.count == SimulatedNode.names.count else {
            throw ValidationError("give --folder \(SimulatedNode.names.count) times, or not at all")
        }
    }

    func run() async throws {
        var logger = Logger(label: "stages")
        logger.logLevel = .error
        var nodes: [SimulatedNode] = []
        for (index, name) in SimulatedNode.names.enumerated() {
            let folder = folder.isEmpty ? nil : folder[index]
            nodes.append(try await join(name, folder: folder, logger: logger))
        }
        // The other end is `lanes`': its end is this one's.
        while true {
            let byte = try FileHandle.standardInput.read(upToCount: 1)
            if byte?.isEmpty ?? true { break }
        }
        withExtendedLifetime(nodes) {}
    }

    private func join(_ name: NodeID, folder: String?, logger: Logger) async throws -> SimulatedNode {
        var options = TransportOptions()
        if let folder {
            options.security = try await NodeSecurity.open(
                folder: try NodeFolder(path: folder), name: name, fallbackName: name, enrolment: nil, logger: logger
            ).transport
        }
        let incarnation = Incarnation(.random(in: 1 ... .max))
        let system = ClusterActorSystem(
            identity: PeerIdentity(node: name, incarnation: incarnation, role: .node), loop: try EventLoop(),
            methods: try await SimulatedNode.methods(), options: options, pool: BufferPool(), logger: logger,
            onPeerEvent: { _ in })
        let node = system.withObject(WellKnownObject.node) { SimulatedNode(actorSystem: system) }
        let port = try system.listen(host: "127.0.0.1", port: 0)
        _ = try await system.connect(host: "127.0.0.1", port: coordinatorPort, expecting: .coordinator)
        let address = ActorAddress(node: .coordinator, object: WellKnownObject.coordinator)
        let description = BenchmarkModel.node(name, incarnation: incarnation, port: port)
        _ = try await Coordinator.resolve(id: address, using: system)
            .register(RegisterRequest(description: description))
        return node
    }
}
