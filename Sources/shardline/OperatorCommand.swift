import ArgumentParser
import ConfigurationFile
import Foundation
import Identity
import Vocabulary

/// Certificates of people who run the cluster.
struct OperatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operator", abstract: "Makes credentials for operators, who may change the cluster.",
        discussion: ProgramEnvironment.help("operator"), subcommands: [Create.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract: "Writes a file with a certificate and its key, for --credentials of other commands.")

        @OptionGroup var place: DataDirectoryOptions

        @Argument(help: "The operator's name; nobody else in the cluster may have it.")
        var name: String

        @Option(name: .long, help: "The file to write; it must not be there yet, and only you can read it.")
        var out: String

        @Option(name: .long, help: "How long it holds, as in 12h or 90d.")
        var ttl = "90d"

        func validate() throws {
            _ = try lifetime()
            _ = try nodeID()
        }

        private func lifetime() throws -> Int64 {
            try DataDirectoryOptions.seconds(ttl, flag: "--ttl", in: 60...(3650 * 86_400))
        }

        private func nodeID() throws -> NodeID {
            guard let id = NodeID(name) else {
                throw ValidationError("'\(name)' must be 1 to 64 characters out of a-z A-Z 0-9 . _ -")
            }
            return id
        }

        func run() async throws {
            let authority = try place.authority()
            // Before the name is taken: a certificate that cannot be written would be nobody's.
            guard !FileManager.default.fileExists(atPath: out) else {
                throw IdentityError(.storage, "\(out) is there already: choose another name, or move it away")
            }
            let credentials = try authority.createCredentials(
                role: .operator, name: try nodeID(), lifetimeSeconds: try lifetime())
            try PrivateFile.create(Array(CredentialsBundle.text(credentials).utf8), at: out)
            print("\(out): \(credentials.identity), until \(UnixTime.text(credentials.identity.notAfter))")
        }
    }
}
