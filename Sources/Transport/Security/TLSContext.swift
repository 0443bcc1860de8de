import CPlatform
import Identity

/// OpenSSL's settings of many connections: what this end shows and whom it trusts.
///
/// `@unchecked Sendable`: not changed after it is made, and OpenSSL counts references to it atomically.
final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Of a chain that the other end shows. Before it is checked it takes memory for whoever asks for it.
    private static let chainByteCountMax = 8 << 10

    /// - Parameter credentials: nil for one that shows nothing and trusts nobody but who is pinned.
    init(_ credentials: Credentials?) throws(TransportError) {
        var error = sl_tls_error()
        guard let pointer = sl_tls_context_create(Self.chainByteCountMax, &error) else {
            throw TransportError(.untrusted, "TLS cannot be used: \(error.message)")
        }
        self.pointer = pointer
        guard let credentials else { return }
        var (chain, key) = (credentials.certificateChainPEM, credentials.privateKeyPEM)
        var authorities = credentials.authoritiesPEM
        let isSet =
            chain.withText { chain, chainCount in
                key.withText { key, keyCount in
                    sl_tls_context_show(pointer, chain, chainCount, key, keyCount, &error)
                }
            } == 0 && authorities.withText { sl_tls_context_trust(pointer, $0, $1, &error) } == 0
        guard isSet else {
            throw TransportError(.untrusted, "TLS cannot use the \(credentials): \(error.message)")
        }
    }

    deinit { sl_tls_context_destroy(pointer) }
}

extension String {
    fileprivate mutating func withText<Result>(_ body: (UnsafePointer<CChar>?, Int) -> Result) -> Result {
        withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { body($0.baseAddress, $0.count) }
        }
    }
}

extension sl_tls_error {
    var message: String {
        withUnsafeBytes(of: text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
