import CPlatform
import Glibc
import Identity

/// OpenSSL's settings for `BareTLS`: TLS 1.3 without tickets, as ours, and a certificate for the end that accepts. The
/// end that connects believes everybody: what is measured is what follows the handshake.
///
/// `@unchecked Sendable`: not changed after it is made, and OpenSSL counts references to it atomically.
final class BareTLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ credentials: Credentials) throws {
        // OpenSSL writes to sockets without MSG_NOSIGNAL.
        signal(SIGPIPE, SIG_IGN)
        guard let pointer = SSL_CTX_new(TLS_method()),
            SSL_CTX_ctrl(pointer, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_3_VERSION), nil) == 1,
            SSL_CTX_set_num_tickets(pointer, 0) == 1
        else { throw WireBenchmarkError("OpenSSL cannot be set up for TLS 1.3: is it older than 1.1.1?") }
        self.pointer = pointer
        var error = sl_tls_error()
        var (chain, key) = (credentials.certificateChainPEM, credentials.privateKeyPEM)
        let isSet = chain.withUTF8 { chain in
            key.withUTF8 { key in
                chain.withMemoryRebound(to: CChar.self) { chain in
                    key.withMemoryRebound(to: CChar.self) { key in
                        sl_tls_context_show(pointer, chain.baseAddress, chain.count, key.baseAddress, key.count, &error)
                    }
                }
            }
        }
        guard isSet == 0 else { throw WireBenchmarkError("OpenSSL cannot use the benchmark's certificate") }
    }

    deinit { SSL_CTX_free(pointer) }
}
