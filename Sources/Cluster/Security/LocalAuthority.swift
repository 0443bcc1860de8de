import Foundation
public import Identity
public import Vocabulary

/// Certificates of a cluster that lives on one host for as long as one process runs: an authority, and a data
/// directory with ready credentials for each node.
public struct LocalAuthority: Sendable {
    public let authority: AuthorityFolder
    private let path: String

    /// - Parameter root: of the programs' state. Folders that others of this kind have left there are removed.
    public init(root: String) throws(IdentityError) {
        let parent = "\(root)/local"
        Self.removeLeftovers(in: parent)
        path = "\(parent)/\(ProcessInfo.processInfo.processIdentifier)"
        authority = try AuthorityFolder(path: path, creates: true)
    }

    /// The data directory of a node, with its credentials in it.
    public func makeNodeFolder(_ name: NodeID, lifetimeSeconds: Int64) throws(IdentityError) -> String {
        let folder = try NodeFolder(path: "\(path)/nodes/\(name)")
        try folder.store(
            try authority.createCredentials(role: .node, name: name, lifetimeSeconds: lifetimeSeconds))
        return folder.folder.path
    }

    /// At the end.
    public func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// A process that was killed could not remove its own. One that runs holds a lock.
    private static func removeLeftovers(in parent: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] {
            guard let id = Int32(name), id > 0 else { continue }
            let isItsOwn = id == ProcessInfo.processInfo.processIdentifier
            // Between its start and its lock another process is known by its id.
            guard isItsOwn || kill(id, 0) != 0 && errno == ESRCH else { continue }
            try? FileManager.default.removeItem(atPath: "\(parent)/\(name)")
        }
    }
}
