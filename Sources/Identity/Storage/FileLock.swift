import Glibc

/// A lock that one process at a time has. The kernel gives it back when the process ends, however it ends.
public final class FileLock: Sendable {
    private let descriptor: Int32

    /// Nil when another process, or another lock of this one, has it.
    ///
    /// - Parameter waits: until it is free, instead.
    public init?(path: String, waits: Bool = false) throws(IdentityError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw PrivateFolder.failure("cannot be opened", path) }
        while flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            defer { close(descriptor) }
            if errno == EWOULDBLOCK { return nil }
            throw PrivateFolder.failure("cannot be locked", path)
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
