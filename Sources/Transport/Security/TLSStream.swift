import CPlatform
import Glibc
import Identity
import Synchronization

/// A connection in TLS 1.3. The handshake happens inside the first reads; nothing may be written before `isReady`.
///
/// OpenSSL's object is used under a lock that is held for one record at a time and never while the socket is, so that
/// one thread encrypts while the loop decrypts. Ciphertext that the socket does not take stays here (`hasUnsentBytes`):
/// what was encrypted once cannot be taken back.
///
/// `@unchecked Sendable`: OpenSSL's object is used under the lock; `sending` by the thread that has set `isSending`;
/// `scratch` and `recordCount` by the one that writes; the rest of what varies on the loop's thread.
final class TLSStream: ByteStream, @unchecked Sendable {
    private let socket: Socket
    private let tls: OpaquePointer
    private let judge: CertificateJudge
    private let state = Mutex(State())
    private var sending = Ciphertext()
    /// Small parts are put together here, so that they go as one record.
    private var scratch: UnsafeMutableRawPointer?
    private var recordCount = 0
    private let recordsPerKey: Int

    private(set) var authentication = Authentication.pending
    private(set) var isReady = false
    private(set) var mayHaveMore = false
    /// Why reading has ended, told once what came before is read.
    private var end: StreamProgress?
    /// The last receive took all that the socket had.
    private var isSocketDrained = false
    /// Of one receive.
    private var inputByteCount = TLSStream.handshakeInputByteCount
    private var handshakeByteCount = 0
    /// The first bytes that a client sent.
    private var head: [UInt8] = []

    private struct State: Sendable {
        var isSending = false
        var failure: String?
    }

    private struct Ciphertext {
        var bytes: UnsafeMutablePointer<UInt8>?
        var capacity = 0
        var start = 0
        var end = 0

        mutating func exchange(_ tls: OpaquePointer) {
            start = 0
            sl_tls_exchange_output(tls, &bytes, &capacity, &end)
        }
    }

    /// Received at once: several records a call of the system, and still in the processor's cache when decrypted.
    private static let inputByteCountMax = 256 << 10
    /// Encrypted before it is sent, for the same reasons.
    private static let batchByteCountMax = 128 << 10
    /// Of one receive before the handshake is over, and of all of them.
    private static let handshakeInputByteCount = 4 << 10
    private static let handshakeByteCountMax = 32 << 10
    /// OpenSSL would take four times this, and makes room for it as soon as it is announced.
    private static let clientHelloByteCountMax = 16 << 10

    /// - Parameter recordsPerKey: written with one key.
    init(
        socket: Socket, context: TLSContext, judge: CertificateJudge, recordsPerKey: Int
    ) throws(TransportError) {
        self.socket = socket
        self.judge = judge
        self.recordsPerKey = recordsPerKey
        let protocols =
            switch judge.task {
            case .accepting: TLSProtocol.all
            case .opening: TLSProtocol.laneAlone
            case .enrolling: TLSProtocol.enrolmentAlone
            }
        let tls = sl_tls_create(
            context.pointer, judge.accepts, protocols.bytes.baseAddress, protocols.bytes.count,
            { argument, chain in
                guard let argument, let chain else { return X509_V_ERR_UNSPECIFIED }
                return Unmanaged<CertificateJudge>.fromOpaque(argument).takeUnretainedValue().judge(chain.pointee)
            }, Unmanaged.passUnretained(judge).toOpaque())
        guard let tls else { throw TransportError(.system, "no memory for a TLS connection") }
        self.tls = tls
        if judge.accepts {
            let exempt = TLSProtocol.enrolmentAlone.name
            sl_tls_exempt(tls, exempt.baseAddress, exempt.count)
        }
        if case .enrolling(let fingerprint) = judge.task { sl_tls_pin(tls, fingerprint.bytes) }
    }

    deinit {
        sl_tls_destroy(tls)
        free(sending.bytes)
        scratch?.deallocate()
    }

    var protectsBytes: Bool { true }

    // MARK: Reading

    func read(into parts: UnsafeBufferPointer<iovec>) -> StreamProgress {
        mayHaveMore = false
        // What came since the last read gave no sign here.
        isSocketDrained = false
        if let end { return end }
        if !isReady, let outcome = shakeHands() { return outcome }
        let total = fill(parts)
        // What reading made to be said, such as the answer to a new key, goes out at once.
        if hasUnsentBytes { _ = flush() }
        if total == 0 { return end ?? .blocked }
        return .bytes(total)
    }

    /// Fills the parts as far as it goes; sets `end` and `mayHaveMore`.
    private func fill(_ parts: UnsafeBufferPointer<iovec>) -> Int {
        var total = 0
        for part in parts {
            var filled = 0
            while filled < part.iov_len {
                var count = 0
                var error = sl_tls_error()
                let result = state.withLock { _ in
                    sl_tls_read(tls, part.iov_base + filled, part.iov_len - filled, &count, &error)
                }
                switch result {
                case sl_tls_done:
                    filled += count
                    total += count
                case sl_tls_wants_input:
                    guard let outcome = receive() else { continue }
                    return stop(total, outcome)
                case sl_tls_closed: return stop(total, .ended(isTruncated: false))
                default: return stop(total, .failed(explain(error)))
                }
            }
        }
        mayHaveMore = sl_tls_has_input(tls)
        return total
    }

    private func stop(_ total: Int, _ outcome: StreamProgress) -> Int {
        if case .blocked = outcome { return total }
        end = outcome
        mayHaveMore = total > 0
        return total
    }

    /// Gets ciphertext from the socket; returns what is the matter when there is none.
    private func receive() -> StreamProgress? {
        if isSocketDrained {
            isSocketDrained = false
            return .blocked
        }
        var room = 0
        guard let base = sl_tls_input_room(tls, inputByteCount, &room), room > 0 else {
            return .failed("no memory for TLS")
        }
        while true {
            let count = recv(socket.descriptor, base, room, 0)
            if count > 0 {
                sl_tls_add_input(tls, count)
                isSocketDrained = count < room
                // Only who sends much is given much room: whoever has not said hello yet has not.
                if isReady, !isSocketDrained { inputByteCount = min(4 * inputByteCount, Self.inputByteCountMax) }
                return isReady ? nil : handshakeObjection(UnsafeBufferPointer(start: base, count: count))
            }
            if count == 0 { return .ended(isTruncated: true) }
            if errno != EINTR { return .ofSystem(errno) }
        }
    }

    private func explain(_ error: sl_tls_error) -> String {
        if error.alert >= 0, let explanation = judge.explanation(ofAlert: error.alert) { return explanation }
        return error.message
    }

    // MARK: The handshake

    /// Goes on with the handshake; returns nil when it is over.
    private func shakeHands() -> StreamProgress? {
        // OpenSSL makes its buffers when it is first asked: not for somebody who only connects.
        if judge.accepts, handshakeByteCount == 0, let outcome = receive() {
            if case .blocked = outcome { return .blocked }
            end = outcome
            return outcome
        }
        while true {
            var error = sl_tls_error()
            let result = state.withLock { _ in sl_tls_handshake(tls, &error) }
            _ = flush()
            switch result {
            case sl_tls_done:
                if let reason = settle() {
                    end = .failed(reason)
                    return end
                }
                isReady = true
                return nil
            case sl_tls_wants_input:
                guard let outcome = receive() else { continue }
                if case .blocked = outcome { return .blocked }
                end = outcome
                if case .ended = outcome { end = .failed(Self.cutOff) }
                return end
            default:
                // The verdict says more than the alert that followed from it.
                if case .refused(let reason) = judge.verdict {
                    end = .failed(reason)
                } else {
                    end = .failed(explain(error))
                }
                return end
            }
        }
    }

    private static let cutOff =
        "the other end closed the connection in the TLS handshake: does it speak plain text (--insecure)?"

    /// Takes note of what was agreed on; returns why that will not do.
    private func settle() -> String? {
        var count = 0
        let name = UnsafeBufferPointer(start: sl_tls_protocol(tls, &count), count: count)
        guard let agreed = TLSProtocol(rawValue: String(decoding: name, as: UTF8.self)) else {
            return "the other end speaks TLS, but names no protocol of Shardline (ALPN)"
        }
        switch (judge.task, agreed) {
        case (.accepting, .enrolment): authentication = .enrolling
        case (.accepting, .lane):
            if case .pending = judge.verdict {
                authentication = .refused(
                    "no certificate was shown, and this cluster admits nobody without: enrol with a token first")
            } else {
                authentication = judge.verdict
            }
        default:
            guard case .certified = judge.verdict else { return "the other end has shown no certificate" }
            authentication = judge.verdict
        }
        return nil
    }

    /// What nobody has to send before a handshake is over. OpenSSL's own limits are far above.
    private func handshakeObjection(_ received: UnsafeBufferPointer<UInt8>) -> StreamProgress? {
        handshakeByteCount += received.count
        guard handshakeByteCount <= Self.handshakeByteCountMax else {
            return .failed("more than \(Self.handshakeByteCountMax) bytes for a TLS handshake")
        }
        // A record's type, version and length; a message's type and length.
        let headByteCount = 9
        guard judge.accepts, head.count < headByteCount else { return nil }
        head += received.prefix(headByteCount - head.count)
        if head.starts(with: "SHRD".utf8) {
            return .failed("the other end speaks plain text, this one TLS: start both with --insecure or neither")
        }
        guard head.count == headByteCount else { return nil }
        guard head[0] == 22 else { return .failed("the other end does not begin with a TLS handshake") }
        let recordByteCount = Int(head[3]) << 8 | Int(head[4])
        let helloByteCount = Int(head[6]) << 16 | Int(head[7]) << 8 | Int(head[8])
        guard recordByteCount >= 4, helloByteCount <= Self.clientHelloByteCountMax else {
            return .failed("a TLS client hello of \(helloByteCount) bytes in pieces of \(recordByteCount)")
        }
        return nil
    }

    // MARK: Writing

    func write(from parts: UnsafeBufferPointer<iovec>) -> StreamProgress {
        switch flush() {
        case .bytes: break
        case let outcome: return outcome
        }
        let scratch = scratch ?? .allocate(byteCount: Int(sl_tls_record_size), alignment: 64)
        self.scratch = scratch
        var cursor = PartCursor(parts)
        var total = 0
        while !cursor.isAtEnd {
            var batch = 0
            while !cursor.isAtEnd, batch < Self.batchByteCountMax {
                let record = cursor.next(byteCountMax: Int(sl_tls_record_size), scratch: scratch)
                if let reason = encrypt(record) { return .failed(reason) }
                batch += record.count
            }
            total += batch
            switch flush() {
            case .bytes: continue
            // All of this is encrypted and counts as written; the rest waits.
            case .blocked: return .bytes(total)
            case let outcome: return outcome
            }
        }
        return .bytes(total)
    }

    private func encrypt(_ record: UnsafeRawBufferPointer) -> String? {
        var error = sl_tls_error()
        recordCount += 1
        let result = state.withLock { state -> sl_tls_result in
            if recordCount == recordsPerKey {
                recordCount = 0
                sl_tls_update_key(tls)
            }
            return sl_tls_write(tls, record.baseAddress, record.count, &error)
        }
        return result == sl_tls_done ? nil : explain(error)
    }

    var hasUnsentBytes: Bool { state.withLock { isWaiting($0) } }

    /// Ciphertext waits that nobody is sending.
    private func isWaiting(_ state: State) -> Bool {
        !state.isSending && (sending.start < sending.end || sl_tls_output_byte_count(tls) > 0)
    }

    func flush() -> StreamProgress {
        while true {
            let (isMine, failure) = state.withLock { state -> (Bool, String?) in
                if let failure = state.failure { return (false, failure) }
                guard isWaiting(state) else { return (false, nil) }
                state.isSending = true
                if sending.start == sending.end { sending.exchange(tls) }
                return (true, nil)
            }
            if let failure { return .failed(failure) }
            // What another thread is sending it sends to the end, with what was added meanwhile.
            guard isMine else { return .bytes(0) }
            let outcome = sendCiphertext()
            state.withLock { state in
                state.isSending = false
                if case .failed(let reason) = outcome { state.failure = reason }
            }
            guard case .bytes = outcome else { return outcome }
        }
    }

    private func sendCiphertext() -> StreamProgress {
        guard let bytes = sending.bytes else { return .bytes(0) }
        while sending.start < sending.end {
            let count = send(
                socket.descriptor, bytes + sending.start, sending.end - sending.start, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                sending.start += count
            } else if errno != EINTR {
                return .ofSystem(errno)
            }
        }
        return .bytes(0)
    }

    // MARK: Ending

    func finishWriting() {
        state.withLock { _ in sl_tls_close(tls) }
        _ = flush()
        shutdown(socket.descriptor, Int32(SHUT_WR))
    }

    func shutDown() { shutdown(socket.descriptor, Int32(SHUT_RDWR)) }
}
