import ArgumentParser
import Cluster
import ConfigurationFile
import Foundation
import Identity

/// Flags of the commands that speak to a coordinator as an operator.
struct OperatorOptions: ParsableArguments {
    @Option(name: .long, help: "File made by `shardline operator create`.")
    var credentials: String?

    @Option(
        name: .long,
        help: """
            The coordinator's data directory, instead of --credentials, on its host and as its user (default: that of \
            the coordinator that listens at the address on this host).
            """)
    var dataDirectory: String?

    @Flag(name: .long, help: "Plain text, to a coordinator that runs --insecure.")
    var insecure = false

    func validate() throws {
        let given = [
            credentials.map { _ in "--credentials" }, dataDirectory.map { _ in "--data-directory" },
            insecure ? "--insecure" : nil,
        ].compactMap { $0 }
        guard given.count <= 1 else { throw ValidationError("\(given.joined(separator: " and ")) exclude each other") }
    }

    /// Nil for plain text.
    func credentials(coordinator: HostAndPort) throws -> Credentials? {
        if insecure { return nil }
        if let credentials { return try OperatorAccess.credentials(file: credentials) }
        if let dataDirectory { return try OperatorAccess.credentials(dataDirectory: dataDirectory) }
        let environment = ProcessInfo.processInfo.environment
        if let found = try OperatorAccess.credentials(ofCoordinatorAt: coordinator.port, environment: environment) {
            return found
        }
        throw IdentityError(
            .storage,
            """
            no coordinator of yours listens at port \(coordinator.port) on this host, so say who you are: \
            --credentials FILE (made by `shardline operator create` on the coordinator's host), --data-directory \
            FOLDER there, or --insecure if the cluster runs so
            """)
    }
}
