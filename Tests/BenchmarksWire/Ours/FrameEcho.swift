import Memory
import Transport
import Vocabulary
import Wire

/// Ping-pong of frames, without peers and actors.
///
/// `@unchecked Sendable`: all that varies is used on the loop's thread alone.
final class FrameEcho: EchoPath, @unchecked Sendable {
    let name = "frames"
    private let loop: EventLoop
    private let probe: WireProbe
    private var link: FrameLink?
    private var samples: [Double] = []
    private var rest = 0
    private var begin = Instant(nanoseconds: 0)
    private var whenDone: (@Sendable (Result<[Double], any Error>) -> Void)?

    init(port: Int, process: WireProcess, bulkByteCount: Int) async throws {
        loop = process.loop
        probe = WireProbe(1, bulk: try BufferSlice.ones(bulkByteCount))
        link = try await FrameLink.connect(
            port: port, security: process.security, loop: process.loop, pool: process.pool,
            onFrame: { [weak self] _, _, _, _ in self?.received() },
            onEnded: { [weak self] in self?.finish(.failure(WireBenchmarkError("the frame echo ended: \($0)"))) })
    }

    func run(count: Int, pause: Duration?) async throws -> [Double] {
        guard pause == nil else { throw WireBenchmarkError("frames are sent without pauses") }
        return try await withCheckedThrowingContinuation { continuation in
            loop.execute { [self] in
                whenDone = { continuation.resume(with: $0) }
                rest = count
                samples = []
                samples.reserveCapacity(count)
                send()
            }
        }
    }

    private func send() {
        begin = EventLoop.now
        do { try link?.send(probe) } catch { finish(.failure(error)) }
    }

    private func received() {
        samples.append(Double((EventLoop.now - begin).nanoseconds) / 1000)
        rest -= 1
        if rest > 0 { send() } else { finish(.success(samples)) }
    }

    private func finish(_ result: Result<[Double], any Error>) {
        whenDone?(result)
        whenDone = nil
    }
}
