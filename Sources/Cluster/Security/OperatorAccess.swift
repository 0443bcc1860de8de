import Foundation
public import Identity
import Vocabulary

/// How an operator's command proves who it is.
public enum OperatorAccess {
    /// Credentials made by `shardline operator create`.
    public static func credentials(file: String) throws(IdentityError) -> Credentials {
        guard let bytes = try PrivateFile.read(file) else { throw IdentityError(.storage, "\(file): no such file") }
        let credentials = try CredentialsBundle.parse(String(decoding: bytes, as: UTF8.self), what: file)
        let identity = credentials.identity
        guard identity.role == .operator else {
            throw IdentityError(.noIdentity, "\(file) holds the certificate of \(identity), not of an operator")
        }
        guard identity.isValid(at: UnixTime.now) else {
            throw IdentityError(
                .expired,
                "the certificate in \(file) holds from \(UnixTime.text(identity.notBefore)) to "
                    + "\(UnixTime.text(identity.notAfter)): make another with `shardline operator create`")
        }
        return credentials
    }

    /// On the coordinator's host: who may read its data directory may do anything, and needs nothing else.
    public static func credentials(dataDirectory: String) throws(IdentityError) -> Credentials {
        try credentials(try AuthorityFolder(path: dataDirectory, creates: false))
    }

    /// Of the coordinator that listens on this host at `port`, found by its data directory among those in the usual
    /// places; nil when there is none.
    public static func credentials(
        ofCoordinatorAt port: Int, environment: [String: String]
    ) throws(IdentityError) -> Credentials? {
        guard let root = try? StatePlace.root(environment) else { return nil }
        let local = ((try? FileManager.default.contentsOfDirectory(atPath: "\(root)/local")) ?? []).sorted()
        for path in ["\(root)/coordinator"] + local.map({ "\(root)/local/\($0)" }) {
            guard let folder = try? AuthorityFolder(path: path, creates: false),
                let address = folder.liveAddress, address.hasSuffix(":\(port)")
            else { continue }
            return try credentials(folder)
        }
        return nil
    }

    private static func credentials(_ folder: AuthorityFolder) throws(IdentityError) -> Credentials {
        // A name of its own: of two processes of one name, the later takes the connection over.
        let name = "operator-\(UInt64.random(in: .min ... .max))"
        guard let name = NodeID(name) else { throw IdentityError(.malformed, "'\(name)' is no name") }
        return try folder.temporaryOperatorCredentials(name: name)
    }
}
