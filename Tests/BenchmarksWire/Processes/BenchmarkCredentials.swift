import Foundation
import Identity
import Vocabulary

/// What the two processes show each other with `--tls`, made for one run. The other one gets its own over its standard
/// input: arguments and environments can be read by others.
struct BenchmarkCredentials {
    let own: Credentials
    let other: Credentials

    init() throws {
        let authority = try CertificateAuthority.create(cluster: "benchmark", now: UnixTime.now)
        func issue(_ name: NodeID) throws -> Credentials {
            let key = try PrivateKey.generate()
            let chain = try authority.issue(
                request: try key.request(commonName: name.name), role: .node, name: name, lifetimeSeconds: 86_400,
                now: UnixTime.now)
            return try Credentials(
                certificateChainPEM: try chain.pem(), privateKeyPEM: key.pem,
                authoritiesPEM: authority.certificatePEM)
        }
        own = try issue(NodeName.own)
        other = try issue(NodeName.other)
    }

    /// A line of JSON.
    static func line(_ credentials: Credentials) throws -> Data {
        try JSONEncoder().encode([CredentialsBundle.text(credentials)]) + Data("\n".utf8)
    }

    static func read(_ file: FileHandle) throws -> Credentials {
        var line = Data()
        while let byte = try file.read(upToCount: 1), !byte.isEmpty, byte != Data("\n".utf8) { line += byte }
        guard let text = try? JSONDecoder().decode([String].self, from: line).first else {
            throw WireBenchmarkError("--tls: credentials must come on the first line of standard input")
        }
        return try CredentialsBundle.parse(text, what: "standard input")
    }
}
