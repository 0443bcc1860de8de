import ArgumentParser
import Cluster
import ConfigurationFile
import Foundation
import Identity
import Logging

/// Flags of `serve` that say who it is.
struct CoordinatorSecurityOptions: ParsableArguments {
    @Option(
        name: .long,
        help: """
            Folder of the authority's key, join tokens and revocations (default: that of the configuration, else \
            $XDG_STATE_HOME/shardline/coordinator or ~/.local/state/shardline/coordinator).
            """)
    var dataDirectory: String?

    @Option(name: .long, help: "Certificate chain (PEM) of another authority; with --key and --authority.")
    var certificate: String?

    @Option(name: .long, help: "Its private key (PEM).")
    var key: String?

    @Option(name: .long, help: "The authorities whose certificates are trusted (PEM).")
    var authority: String?

    @Option(name: .long, help: "How long certificates of nodes hold, as in 24h or 7d (default: 24h).")
    var certificateLifetime: String?

    @Flag(name: .long, help: "Plain text, nobody authenticated: everybody who reaches the ports may do everything.")
    var insecure = false

    func validate() throws {
        let files = [("--certificate", certificate), ("--key", key), ("--authority", authority)]
        if let given = files.first(where: { $0.1 != nil }), let missing = files.first(where: { $0.1 == nil }) {
            throw ValidationError("\(given.0) needs \(missing.0) too: certificate, key and authority belong together")
        }
        if insecure, certificate != nil {
            throw ValidationError("--certificate is of no use with --insecure: leave one of them out")
        }
        if let certificateLifetime {
            let range = ClusterConfiguration.certificateLifetimeRange
            guard let seconds = TimeSpanText.seconds(certificateLifetime), range.contains(seconds) else {
                throw ValidationError(
                    "--certificate-lifetime must be \(TimeSpanText.text(range.lowerBound)) to "
                        + "\(TimeSpanText.text(range.upperBound)), as in 24h, not '\(certificateLifetime)'")
            }
        }
    }

    /// Nil when the cluster is to run in plain text, which is logged.
    func open(_ cluster: ClusterConfiguration, logger: Logger) throws -> CoordinatorSecurity? {
        // Files on the command line are more recent words than `insecure` in the configuration.
        guard !insecure, certificate != nil || !cluster.isInsecure else {
            logger.warning(
                """
                INSECURE: links are plain text and nobody is authenticated; everybody who reaches the ports may read \
                and change everything
                """)
            return nil
        }
        let path =
            try dataDirectory ?? cluster.coordinator.dataDirectory
            ?? StatePlace.coordinator(ProcessInfo.processInfo.environment)
        if let files = CredentialFiles(certificate, key, authority) ?? cluster.security.files.map(CredentialFiles.init)
        {
            let folder = try PrivateFolder(path: path, creates: true)
            return try CoordinatorSecurity(.files(files, RegistryFile(folder: folder)), logger: logger)
        }
        let lifetime = certificateLifetime.flatMap(TimeSpanText.seconds) ?? cluster.security.certificateLifetimeSeconds
        let folder = try AuthorityFolder(path: path, creates: true)
        logger.info("certificates, join tokens and revocations are kept in \(path)")
        return try CoordinatorSecurity(.authority(folder, lifetimeSeconds: lifetime), logger: logger)
    }
}

extension CredentialFiles {
    fileprivate init?(_ certificate: String?, _ key: String?, _ authority: String?) {
        guard let certificate, let key, let authority else { return nil }
        self.init(certificate: certificate, key: key, authority: authority)
    }

    fileprivate init(_ files: ClusterConfiguration.Security.Files) {
        self.init(certificate: files.certificate, key: files.key, authority: files.authority)
    }
}
