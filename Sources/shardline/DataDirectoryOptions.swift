import ArgumentParser
import ConfigurationFile
import Foundation
import Identity

/// Flags of the commands that work on the coordinator's data directory: on its host, as its user, whether it runs or
/// not.
struct DataDirectoryOptions: ParsableArguments {
    @Option(
        name: .long,
        help: """
            The coordinator's data directory (default: that of --config, else $XDG_STATE_HOME/shardline/coordinator \
            or ~/.local/state/shardline/coordinator).
            """)
    var dataDirectory: String?

    @Option(name: .long, help: "Cluster configuration that names the data directory.")
    var config: String?

    func path() throws -> String {
        if let dataDirectory { return dataDirectory }
        if let config, let path = try ClusterConfiguration.load(path: config).coordinator.dataDirectory { return path }
        return try StatePlace.coordinator(ProcessInfo.processInfo.environment)
    }

    func authority() throws -> AuthorityFolder { try AuthorityFolder(path: try path(), creates: false) }

    func registry() throws -> RegistryFile {
        RegistryFile(folder: try PrivateFolder(path: try path(), creates: false))
    }

    /// A length of time out of a flag.
    static func seconds(_ text: String, flag: String, in range: ClosedRange<Int64>) throws -> Int64 {
        guard let seconds = TimeSpanText.seconds(text), range.contains(seconds) else {
            throw ValidationError(
                "\(flag) must be \(TimeSpanText.text(range.lowerBound)) to \(TimeSpanText.text(range.upperBound)), "
                    + "as in 90s, 30m, 24h or 7d, not '\(text)'")
        }
        return seconds
    }
}
