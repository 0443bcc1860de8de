import Identity
import Memory
import Vocabulary
import Wire

/// One connection on which a process asks for its first certificate.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class EnrolmentConnection: LaneDelegate, @unchecked Sendable {
    private let address: SocketAddress
    private let authority: AuthorityFingerprint
    private let loop: EventLoop
    private let options: TransportOptions
    private var dialing: Dialing?
    private var connection: LaneConnection?
    private var continuation: CheckedContinuation<Enrolled, any Error>?
    private var failure: TransportError?

    init(address: SocketAddress, authority: AuthorityFingerprint, loop: EventLoop, options: TransportOptions) {
        self.address = address
        self.authority = authority
        self.loop = loop
        self.options = options
    }

    /// On the loop; once.
    func ask(_ request: Enrol) async throws -> Enrolled {
        let connectTimer = loop.schedule(after: options.connectTimeout) { [weak self] in
            guard let self, !hasHandshake else { return }
            abort(TransportError(.timedOut, "no connection to \(address) within \(options.connectTimeout.seconds) s"))
        }
        let timer = loop.schedule(after: options.callDeadline) { [weak self] in
            guard let self else { return }
            abort(TransportError(.timedOut, "\(address) has not answered within \(options.callDeadline.seconds) s"))
        }
        defer {
            connectTimer.cancel()
            timer.cancel()
            connection?.close(TransportError(.shutDown, "the enrolment is over"))
        }
        return try await withTaskCancellationHandler {
            try await exchange(request)
        } onCancel: {
            loop.execute { self.abort(TransportError(.shutDown, "the enrolment was cancelled")) }
        }
    }

    private var hasHandshake: Bool { connection?.authentication.identity != nil }

    private func exchange(_ request: Enrol) async throws -> Enrolled {
        let frame = try OutboundFrame(
            .enrol, request, incarnation: Incarnation(0), version: WireVersion.oldest, isChecksummed: false)
        let dialing = Dialing(address: address, loop: loop)
        self.dialing = dialing
        let socket = try await dialing.connect()
        self.dialing = nil
        if let failure { throw failure }
        let stream = try TLSStream(
            socket: socket, context: try TLSContext(nil), judge: CertificateJudge(.enrolling(authority), nil),
            recordsPerKey: .max)
        let connection = LaneConnection(
            socket: socket, stream: stream, loop: loop, pool: BufferPool(), options: options)
        self.connection = connection
        return try await withCheckedThrowingContinuation { continuation in
            self.continuation = continuation
            // Waits in the queue until the other end has shown the authority: the secret is for nobody else.
            do {
                try connection.open(delegate: self)
                connection.outbound.placeUrgently(frame)
            } catch {
                finish(.failure(error))
            }
        }
    }

    private func abort(_ error: TransportError) {
        guard failure == nil else { return }
        failure = error
        dialing?.cancel(error)
        finish(.failure(error))
    }

    private func finish(_ result: Result<Enrolled, any Error>) {
        continuation?.resume(with: result)
        continuation = nil
    }

    // MARK: What comes back

    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws {
        guard header.kind == .enrolled || header.kind == .refuse else {
            throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame in answer to the enrolment")
        }
    }

    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) throws {
        let stamp = frame.header.stamp
        if frame.header.kind == .refuse {
            let refusal = try RemoteFailure(control: frame.control, stamp: stamp, bulk: frame.bulk)
            return finish(.failure(TransportError(.notAdmitted, "\(address) refuses the enrolment: \(refusal)")))
        }
        let enrolled = try Enrolled(control: frame.control, stamp: stamp, bulk: frame.bulk)
        guard let last = enrolled.certificates.last, enrolled.certificates.count > 1,
            try AuthorityFingerprint(certificateDER: last) == authority
        else {
            throw LaneEnd(
                kind: .violation, reason: "the certificates it gives do not end with that of the authority \(authority)"
            )
        }
        finish(.success(enrolled))
    }

    func laneHeard(_ lane: LaneConnection) {}

    func lane(_ lane: LaneConnection, ended end: LaneEnd) {
        let kind: TransportError.Kind =
            switch end.kind {
            case .encryption, .forbidden: .untrusted
            case .connection: .notAdmitted
            case .version, .violation: .protocolViolation
            }
        finish(.failure(TransportError(kind, "no certificate from \(address): \(end.reason)")))
    }
}
