import Vocabulary
import Wire

/// Opens one lane: says hello and waits for the answer.
///
/// `@unchecked Sendable`: used on the loop's thread alone.
final class Opener: LaneDelegate, @unchecked Sendable {
    /// The answer that is no.
    struct Refusal: Error {
        let failure: RemoteFailure
        /// Of who refused; 0 when it did not say.
        let incarnation: Incarnation
    }

    let connection: LaneConnection
    private var continuation: CheckedContinuation<Welcome, any Error>?
    /// The end that follows tells nothing new.
    private var isRefused = false
    /// The welcomed lane ended before the others were up.
    private let onEnded: @Sendable (LaneEnd) -> Void

    init(connection: LaneConnection, onEnded: @escaping @Sendable (LaneEnd) -> Void) {
        self.connection = connection
        self.onEnded = onEnded
    }

    func greet(_ hello: Hello) async throws -> Welcome {
        let frame = try OutboundFrame(
            .hello, hello, incarnation: hello.incarnation, version: WireVersion.oldest,
            isChecksummed: connection.needsChecksums)
        connection.lane = hello.lane
        return try await withCheckedThrowingContinuation { continuation in
            self.continuation = continuation
            do {
                try connection.open(delegate: self)
            } catch {
                finish(.failure(error))
            }
            connection.outbound.placeUrgently(frame)
        }
    }

    func close(_ error: TransportError) {
        connection.close(error)
        finish(.failure(error))
    }

    private func finish(_ result: Result<Welcome, any Error>) {
        continuation?.resume(with: result)
        continuation = nil
    }

    func lane(_ lane: LaneConnection, admit header: FrameHeader) throws {
        guard header.kind == .welcome || header.kind == .refuse else {
            throw LaneEnd(kind: .violation, reason: "a \(header.kind) frame in place of the welcome")
        }
        try lane.requireChecksum(header)
    }

    func lane(_ lane: LaneConnection, received frame: FrameReader.Frame) throws {
        let stamp = frame.header.stamp
        if frame.header.kind == .refuse {
            let failure = try RemoteFailure(control: frame.control, stamp: stamp, bulk: frame.bulk)
            isRefused = true
            return finish(.failure(Refusal(failure: failure, incarnation: stamp.incarnation)))
        }
        let welcome = try Welcome(control: frame.control, stamp: stamp, bulk: frame.bulk)
        // The other end may go on talking before the other lanes are up; that stays in the socket until then.
        lane.pauseReading()
        finish(.success(welcome))
    }

    func laneHeard(_ lane: LaneConnection) {}

    func lane(_ lane: LaneConnection, ended end: LaneEnd) {
        guard !isRefused else { return }
        guard continuation != nil else { return onEnded(end) }
        if end.kind == .encryption { return finish(.failure(TransportError(.untrusted, end.reason))) }
        // The likeliest reason for a close without a word.
        let hint =
            end.kind == .connection && lane.needsChecksums ? " (does it speak TLS, and this end --insecure?)" : ""
        finish(.failure(TransportError(.notAdmitted, "the connection ended in the handshake: \(end.reason)\(hint)")))
    }
}
