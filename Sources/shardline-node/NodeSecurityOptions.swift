import ArgumentParser
import Cluster
import ConfigurationFile
import Foundation
import Identity
import Logging
import Vocabulary

/// Flags that say who this node is.
struct NodeSecurityOptions: ParsableArguments {
    @Option(
        name: .long,
        help: """
            Folder of this node's certificate and key (default: that of the configuration, else \
            $XDG_STATE_HOME/shardline/nodes/NAME or ~/.local/state/shardline/nodes/NAME).
            """)
    var dataDirectory: String?

    @Option(
        name: .long,
        help: "File with a join token, for the first start; only its owner may read it. Or set SHARDLINE_JOIN_TOKEN.")
    var joinTokenFile: String?

    @Option(name: .long, help: "Certificate chain (PEM) of another authority; with --key and --authority.")
    var certificate: String?

    @Option(name: .long, help: "Its private key (PEM).")
    var key: String?

    @Option(name: .long, help: "The authorities whose certificates are trusted (PEM).")
    var authority: String?

    @Flag(name: .long, help: "Plain text, nobody authenticated: for a coordinator that runs --insecure.")
    var insecure = false

    /// A token on a command line would be seen by everybody on the host; the environment is the user's alone.
    private static let tokenVariable = "SHARDLINE_JOIN_TOKEN"

    func validate() throws {
        let files = [("--certificate", certificate), ("--key", key), ("--authority", authority)]
        if let given = files.first(where: { $0.1 != nil }), let missing = files.first(where: { $0.1 == nil }) {
            throw ValidationError("\(given.0) needs \(missing.0) too: certificate, key and authority belong together")
        }
        if insecure, certificate != nil || joinTokenFile != nil {
            let flag = certificate != nil ? "--certificate" : "--join-token-file"
            throw ValidationError("\(flag) is of no use with --insecure: leave one of them out")
        }
        if certificate != nil, joinTokenFile != nil {
            throw ValidationError("--join-token-file is of no use with --certificate: leave one of them out")
        }
    }

    /// Nil when this node is to run in plain text, which is logged. Enrols when it must, and waits for the coordinator
    /// then.
    func open(
        _ configured: ConfiguredNode?, name: String?, fallbackName: NodeID, coordinator: (host: String, port: Int),
        logger: Logger
    ) async throws -> NodeSecurity? {
        let isInsecure = certificate == nil && configured?.isInsecure == true
        guard !insecure, !isInsecure else {
            logger.warning(
                """
                INSECURE: links are plain text and nobody is authenticated; everybody who reaches the ports may read \
                and change everything
                """)
            return nil
        }
        let name = name.flatMap { NodeID($0) } ?? configured?.node.id
        if let files = CredentialFiles(certificate, key, authority) ?? configured?.files {
            return try NodeSecurity.files(files, name: name, logger: logger)
        }
        let path =
            try dataDirectory ?? configured?.node.dataDirectory
            ?? StatePlace.node(fallbackName.name, ProcessInfo.processInfo.environment)
        let enrolment = try token().map {
            NodeSecurity.Enrolment(coordinatorHost: coordinator.host, coordinatorPort: coordinator.port, token: $0)
        }
        return try await NodeSecurity.open(
            folder: try NodeFolder(path: path), name: name, fallbackName: fallbackName, enrolment: enrolment,
            logger: logger)
    }

    private func token() throws -> JoinToken? {
        if let joinTokenFile {
            guard let bytes = try PrivateFile.read(joinTokenFile, byteCountMax: 4096) else {
                throw IdentityError(.storage, "\(joinTokenFile): no such file; it should hold a join token")
            }
            do {
                return try JoinToken(String(decoding: bytes, as: UTF8.self))
            } catch {
                throw IdentityError(error.kind, "\(joinTokenFile): \(error.message)")
            }
        }
        guard let text = ProcessInfo.processInfo.environment[Self.tokenVariable], !text.isEmpty else { return nil }
        do {
            return try JoinToken(text)
        } catch {
            throw IdentityError(error.kind, "\(Self.tokenVariable): \(error.message)")
        }
    }
}

extension CredentialFiles {
    fileprivate init?(_ certificate: String?, _ key: String?, _ authority: String?) {
        guard let certificate, let key, let authority else { return nil }
        self.init(certificate: certificate, key: key, authority: authority)
    }
}
