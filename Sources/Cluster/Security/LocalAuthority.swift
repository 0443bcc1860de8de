import Foundation
public import Identity
public import Vocabulary

/// Certificates of a cluster that lives on one host for as long as one process runs: an authority, and a data
/// directory with ready credentials for each node.
public struct LocalAuthority: Sendable {
    public let authority: AuthorityFolder
    private let path: String
    /// What goes at the end.
    private let removedPath: String

    /// - Parameters:
    ///   - root: of the programs' state. Folders that others of this kind have left there are removed.
    ///   - isTemporary: `root` is for this process alone and goes with it.
    public init(root: String, isTemporary: Bool = false) throws(IdentityError) {
        let parent = "\(root)/local"
        Self.removeLeftovers(in: parent)
        path = "\(parent)/\(ProcessInfo.processInfo.processIdentifier)"
        removedPath = isTemporary ? root : path
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
    public func remove() { try? FileManager.default.removeItem(atPath: removedPath) }

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
