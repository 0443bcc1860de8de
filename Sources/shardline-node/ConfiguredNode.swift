import ConfigurationFile
import Identity
import Vocabulary

/// What a cluster configuration says of one node.
struct ConfiguredNode {
    let node: ClusterConfiguration.Node
    let coordinator: String
    let modelFiles: [String]
    let isInsecure: Bool
    /// Certificates of another authority.
    let files: CredentialFiles?
    let logLevel: String

    /// Nil without a file. Without a name the file must list a single node.
    init?(path: String?, name: String?, allowsInsecure: Bool) throws {
        guard let path else { return nil }
        let configuration = try ClusterConfiguration.load(path: path, allowsInsecure: allowsInsecure)
        if let name {
            node = try configuration.node(named: name, path: path)
        } else if configuration.nodes.count == 1 {
            node = configuration.nodes[0]
        } else {
            let names = configuration.nodes.map(\.id.name).joined(separator: ", ")
            throw ConfigurationError(
                path: path, keyPath: "nodes", message: "say with --name which of the nodes this is: \(names)")
        }
        let node = node
        coordinator = "\(configuration.coordinator.host):\(configuration.coordinator.port)"
        modelFiles = configuration.models.map { $0.path(on: node) }
        isInsecure = configuration.isInsecure
        files = configuration.security.files.map {
            CredentialFiles(certificate: $0.certificate, key: $0.key, authority: $0.authority)
        }
        logLevel = configuration.logging.level
    }
}
