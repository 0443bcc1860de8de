import CPlatform
import Identity
import Synchronization
import Testing

/// The TLS end of a `RawLane`: shows what it is told to show and trusts everybody.
final class RawTLS: Sendable {
    private struct Pointers: @unchecked Sendable {
        // `@unchecked Sendable`: used under the lock.
        let context: OpaquePointer
        let connection: OpaquePointer
        var isReady = false
    }

    private let pointers: Mutex<Pointers>
    private let protocols: UnsafeList

    private struct UnsafeList: @unchecked Sendable {
        // `@unchecked Sendable`: never changed.
        let bytes: UnsafeMutableBufferPointer<UInt8>
    }

    convenience init(_ credentials: Credentials?, protocols: [String] = ["shardline/1"]) throws {
        try self.init(
            shown: credentials.map { ($0.certificateChainPEM, $0.privateKeyPEM) }, protocols: protocols)
    }

    /// - Parameters:
    ///   - shown: certificates and key; nil for a client without.
    ///   - protocols: what it offers.
    init(shown: (chainPEM: String, keyPEM: String)?, protocols: [String] = ["shardline/1"]) throws {
        var error = sl_tls_error()
        let context = try #require(sl_tls_context_create(1 << 20, &error))
        if let shown {
            var (chain, key) = shown
            let result = chain.withUTF8 { chain in
                key.withUTF8 { key in
                    chain.withMemoryRebound(to: CChar.self) { chain in
                        key.withMemoryRebound(to: CChar.self) { key in
                            sl_tls_context_show(
                                context, chain.baseAddress, chain.count, key.baseAddress, key.count, &error)
                        }
                    }
                }
            }
            try #require(result == 0)
        }
        let list = protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: list.count)
        _ = bytes.initialize(from: list)
        self.protocols = UnsafeList(bytes: bytes)
        let connection = sl_tls_create(context, false, bytes.baseAddress, bytes.count, { _, _ in X509_V_OK }, nil)
        pointers = Mutex(Pointers(context: context, connection: try #require(connection)))
    }

    deinit {
        pointers.withLock {
            sl_tls_destroy($0.connection)
            sl_tls_context_destroy($0.context)
        }
        protocols.bytes.deallocate()
    }

    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    /// Goes on with the handshake; false until it is over.
    func shakeHands() throws -> Bool {
        try pointers.withLock { pointers in
            if pointers.isReady { return true }
            var error = sl_tls_error()
            let result = sl_tls_handshake(pointers.connection, &error)
            if result == sl_tls_failed { throw Self.broken(error) }
            pointers.isReady = result == sl_tls_done
            return pointers.isReady
        }
    }

    func encrypt(_ bytes: [UInt8]) throws {
        try pointers.withLock { pointers in
            var error = sl_tls_error()
            for start in stride(from: 0, to: bytes.count, by: 16_384) {
                let piece = bytes[start..<min(bytes.count, start + 16_384)]
                let result = piece.withUnsafeBytes {
                    sl_tls_write(pointers.connection, $0.baseAddress, $0.count, &error)
                }
                guard result == sl_tls_done else { throw Self.broken(error) }
            }
        }
    }

    /// Nil when more must come in first; empty at the end.
    func decrypt(_ countMax: Int) throws -> [UInt8]? {
        try pointers.withLock { pointers in
            var error = sl_tls_error()
            var bytes = [UInt8](repeating: 0, count: countMax)
            var count = 0
            switch sl_tls_read(pointers.connection, &bytes, countMax, &count, &error) {
            case sl_tls_done: return Array(bytes.prefix(count))
            case sl_tls_wants_input: return nil
            case sl_tls_closed: return []
            default: throw Self.broken(error)
            }
        }
    }

    func updateKey() { pointers.withLock { sl_tls_update_key($0.connection) } }

    func finish() { pointers.withLock { sl_tls_close($0.connection) } }

    func add(_ ciphertext: [UInt8]) {
        pointers.withLock { pointers in
            var room = 0
            guard let base = sl_tls_input_room(pointers.connection, 1 << 20, &room), room >= ciphertext.count else {
                return
            }
            base.update(from: ciphertext, count: ciphertext.count)
            sl_tls_add_input(pointers.connection, ciphertext.count)
        }
    }

    func takeCiphertext() -> [UInt8] {
        pointers.withLock { pointers in
            var bytes: UnsafeMutablePointer<UInt8>?
            var (capacity, count) = (0, 0)
            sl_tls_exchange_output(pointers.connection, &bytes, &capacity, &count)
            defer { free(bytes) }
            return Array(UnsafeBufferPointer(start: bytes, count: count))
        }
    }

    private static func broken(_ error: sl_tls_error) -> Broken {
        Broken(
            description: withUnsafeBytes(of: error.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                + (error.alert >= 0 ? " [alert \(error.alert)]" : ""))
    }
}
