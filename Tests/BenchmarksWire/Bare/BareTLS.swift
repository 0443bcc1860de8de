import CPlatform
import Glibc

/// TLS over a socket by OpenSSL's own calls: what our TLS is held against.
///
/// `@unchecked Sendable`: one thread at a time uses it, the one that works for the benchmark at that moment.
final class BareTLS: @unchecked Sendable {
    private let tls: OpaquePointer

    /// What OpenSSL reads at once when it reads ahead, as much as ours does.
    private static let readAheadByteCount = 256 << 10

    /// Shakes hands on a socket that blocks.
    ///
    /// - Parameters:
    ///   - accepts: this end is the server.
    ///   - readsAhead: several records a system call, instead of a call for each record's header and one for the rest.
    init(_ descriptor: Int32, _ context: BareTLSContext, accepts: Bool, readsAhead: Bool) throws {
        guard let tls = SSL_new(context.pointer), SSL_set_fd(tls, descriptor) == 1 else {
            throw WireBenchmarkError("OpenSSL has no memory for a connection")
        }
        self.tls = tls
        if readsAhead {
            SSL_set_read_ahead(tls, 1)
            SSL_set_default_read_buffer_len(tls, Self.readAheadByteCount)
        }
        guard (accepts ? SSL_accept(tls) : SSL_connect(tls)) == 1 else {
            throw WireBenchmarkError("the bare TLS handshake failed")
        }
    }

    deinit { SSL_free(tls) }

    /// Something can be read without the socket.
    var isHolding: Bool { SSL_has_pending(tls) == 1 }

    /// How many bytes came; 0 at the end; -1 when the socket has none just now.
    func read(_ bytes: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        let result = SSL_read_ex(tls, bytes.baseAddress, bytes.count, &count)
        return result == 1 ? count : isBlocked(result) ? -1 : 0
    }

    /// How many bytes went; 0 when the other end has closed; -1 when the same must be tried again.
    func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        var count = 0
        let result = SSL_write_ex(tls, bytes.baseAddress, bytes.count, &count)
        return result == 1 ? count : isBlocked(result) ? -1 : 0
    }

    private func isBlocked(_ result: Int32) -> Bool {
        let error = SSL_get_error(tls, result)
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
    }
}
