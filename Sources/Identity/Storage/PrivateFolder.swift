import Glibc

/// A folder that only its owner may read or write, and files in it that are replaced as a whole.
public struct PrivateFolder: Sendable {
    public let path: String

    /// Opens the folder. Refuses one that others may use: whoever can write to it can make themselves a member.
    ///
    /// - Parameter creates: makes it, with the folders above it, when it is not there.
    public init(path: String, creates: Bool) throws(IdentityError) {
        self.path = path
        if creates { try Self.create(path) }
        var status = stat()
        guard stat(path, &status) == 0 else { throw Self.failure("cannot be opened", path) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw IdentityError(.storage, "\(path) is not a folder") }
        guard status.st_uid == geteuid() else {
            throw IdentityError(
                .storage, "\(path) belongs to user \(status.st_uid), but this process runs as user \(geteuid())")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw IdentityError(
                .storage, "\(path) is open to other users (mode \(Self.octal(status.st_mode))): chmod 700 \(path)")
        }
    }

    /// Folders on the way are made as usual, the last one for its owner alone.
    private static func create(_ path: String) throws(IdentityError) {
        guard !path.isEmpty else { throw IdentityError(.storage, "the name of the data directory is empty") }
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try createParent(String(path[..<slash]))
            if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        }
        throw failure("cannot be made", path)
    }

    private static func createParent(_ path: String) throws(IdentityError) {
        if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try createParent(String(path[..<slash]))
            if mkdir(path, 0o755) == 0 || errno == EEXIST { return }
        }
        throw failure("cannot be made", path)
    }

    public func path(of name: String) -> String { path.hasSuffix("/") ? path + name : "\(path)/\(name)" }

    public func contains(_ name: String) -> Bool { access(path(of: name), F_OK) == 0 }

    /// The file's bytes; nil when it is not there.
    public func read(_ name: String, byteCountMax: Int = 64 << 20) throws(IdentityError) -> [UInt8]? {
        try PrivateFile.read(path(of: name), byteCountMax: byteCountMax)
    }

    /// Replaces the file: after a crash there is the old one or the new one, whole. One writer at a time.
    public func write(_ bytes: [UInt8], to name: String) throws(IdentityError) {
        let (target, temporary) = (path(of: name), path(of: name + ".tmp"))
        do throws(IdentityError) {
            try PrivateFile.write(bytes, to: temporary, flags: O_CREAT | O_TRUNC)
            guard rename(temporary, target) == 0 else { throw Self.failure("cannot be replaced", target) }
        } catch {
            unlink(temporary)
            throw error
        }
        try synchronise()
    }

    public func remove(_ name: String) throws(IdentityError) {
        guard unlink(path(of: name)) == 0 || errno == ENOENT else {
            throw Self.failure("cannot be removed", path(of: name))
        }
        try synchronise()
    }

    /// The folder's own entries reach the disk.
    private func synchronise() throws(IdentityError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("cannot be opened", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.failure("cannot be written to disk", path) }
    }

    static func failure(_ what: String, _ path: String) -> IdentityError {
        IdentityError(.storage, "\(path) \(what): \(String(cString: strerror(errno)))")
    }

    static func octal(_ mode: mode_t) -> String { String(mode & 0o7777, radix: 8) }
}
