import Glibc

/// A connected socket, or TLS over one, by plain calls. Closes it in the end.
final class BareStream: Sendable {
    let descriptor: Int32
    let tls: BareTLS?

    init(_ descriptor: Int32, tls: BareTLS? = nil) {
        self.descriptor = descriptor
        self.tls = tls
    }

    deinit { close(descriptor) }

    // MARK: Once

    /// How many bytes came; 0 at the end; -1 when there are none just now.
    func read(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
        if let tls { return tls.read(bytes) }
        let count = recv(descriptor, bytes.baseAddress, bytes.count, 0)
        return count >= 0 ? count : errno == EAGAIN || errno == EINTR ? -1 : 0
    }

    /// How many bytes went; 0 when the other end has closed; -1 when there is no room just now.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let tls { return tls.write(bytes) }
        let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        return count > 0 ? count : errno == EAGAIN || errno == EINTR ? -1 : 0
    }

    // MARK: All, on a socket that blocks

    /// False when the other end has closed.
    func readAll(_ bytes: UnsafeMutableRawBufferPointer, atOnce: Int = .max) -> Bool {
        guard let tls else { return BareSocket.readAll(descriptor, bytes, atOnce: atOnce) }
        var filled = 0
        while filled < bytes.count {
            let count = tls.read(UnsafeMutableRawBufferPointer(rebasing: bytes[filled...].prefix(atOnce)))
            guard count > 0 else { return false }
            filled += count
        }
        return true
    }

    func writeAll(_ bytes: UnsafeRawBufferPointer, atOnce: Int = .max) -> Bool {
        guard let tls else { return BareSocket.writeAll(descriptor, bytes, atOnce: atOnce) }
        var sent = 0
        while sent < bytes.count {
            let count = tls.write(UnsafeRawBufferPointer(rebasing: bytes[sent...].prefix(atOnce)))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
