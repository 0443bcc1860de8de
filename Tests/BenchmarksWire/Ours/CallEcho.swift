import Distributed
import Memory
import Transport
import Vocabulary
import Wire

/// Calls of a distributed actor in the other process, each awaited.
final class CallEcho: EchoPath, Sendable {
    let name = "actor calls"
    private let process: WireProcess
    private let remote: WireActor
    private let probe: WireProbe

    init(process: WireProcess, remote: WireActor, bulkByteCount: Int) throws {
        self.process = process
        self.remote = remote
        probe = WireProbe(1, bulk: try BufferSlice.ones(bulkByteCount))
    }

    func run(count: Int, pause: Duration?) async throws -> [Double] {
        let (remote, probe) = (remote, probe)
        return try await Task(executorPreference: process.loop) {
            var samples: [Double] = []
            samples.reserveCapacity(count)
            for _ in 0..<count {
                let begin = EventLoop.now
                _ = try await remote.echo(probe)
                samples.append(Double((EventLoop.now - begin).nanoseconds) / 1000)
                if let pause { try await Task.sleep(for: pause) }
            }
            return samples
        }.value
    }
}
