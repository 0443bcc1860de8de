import Glibc

/// A file that holds a secret: only its owner may read it.
public enum PrivateFile {
    /// Nil when there is no file at `path`. Refuses one that other users may read, and one that is too long.
    public static func read(_ path: String, byteCountMax: Int = 1 << 20) throws(IdentityError) -> [UInt8]? {
        try read(path, byteCountMax: byteCountMax) { status throws(IdentityError) in try requireSecret(status, path) }
    }

    /// As `read`, of a key that the administrator keeps for a group of services too (owner root, mode 0640).
    public static func readKey(_ path: String, byteCountMax: Int = 1 << 20) throws(IdentityError) -> [UInt8]? {
        try read(path, byteCountMax: byteCountMax) { status throws(IdentityError) in
            guard status.st_uid == 0, status.st_mode & 0o037 == 0 else { return try requireSecret(status, path) }
        }
    }

    /// As `read`, of a file that may be known to everybody, such as an authority's certificate.
    public static func readPublic(_ path: String, byteCountMax: Int = 1 << 20) throws(IdentityError) -> [UInt8]? {
        try read(path, byteCountMax: byteCountMax) { _ in }
    }

    private static func read(
        _ path: String, byteCountMax: Int, _ requireRights: (stat) throws(IdentityError) -> Void
    ) throws(IdentityError) -> [UInt8]? {
        // Not blocking: a pipe in the file's place must not stop the process.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0, errno == ENOENT { return nil }
        guard descriptor >= 0 else { throw PrivateFolder.failure("cannot be opened", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw PrivateFolder.failure("cannot be read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw IdentityError(.storage, "\(path) is not a file") }
        try requireRights(status)
        guard status.st_size <= byteCountMax else {
            throw IdentityError(.storage, "\(path) is longer than \(byteCountMax) bytes")
        }
        return try readAll(descriptor, path, byteCountMax: byteCountMax)
    }

    private static func requireSecret(_ status: stat, _ path: String) throws(IdentityError) {
        guard status.st_mode & 0o077 == 0 else {
            throw IdentityError(
                .storage,
                "\(path) holds a secret and other users may use it (mode \(PrivateFolder.octal(status.st_mode))): "
                    + "chmod 600 \(path)")
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            throw IdentityError(
                .storage, "\(path) belongs to user \(status.st_uid), but this process runs as user \(geteuid())")
        }
    }

    private static func readAll(
        _ descriptor: Int32, _ path: String, byteCountMax: Int
    ) throws(IdentityError) -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw PrivateFolder.failure("cannot be read", path) }
            if count == 0 { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= byteCountMax else {
                throw IdentityError(.storage, "\(path) is longer than \(byteCountMax) bytes")
            }
        }
    }

    /// A new file that only its owner may read; one that is there already stays as it is and is an error.
    public static func create(_ bytes: [UInt8], at path: String) throws(IdentityError) {
        do throws(IdentityError) {
            try write(bytes, to: path, flags: O_CREAT | O_EXCL)
        } catch {
            guard access(path, F_OK) == 0 else { throw error }
            throw IdentityError(
                .storage, "\(error.message); nothing was overwritten: choose another name or move it away")
        }
    }

    static func write(_ bytes: [UInt8], to path: String, flags: Int32) throws(IdentityError) {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0o600)
        guard descriptor >= 0 else { throw PrivateFolder.failure("cannot be written", path) }
        defer { close(descriptor) }
        // A file of the same name may have been there with other rights.
        guard fchmod(descriptor, 0o600) == 0 else { throw PrivateFolder.failure("cannot be written", path) }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw PrivateFolder.failure("cannot be written", path) }
            offset += count
        }
        guard fsync(descriptor) == 0 else { throw PrivateFolder.failure("cannot be written to disk", path) }
    }
}
