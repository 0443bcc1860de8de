import Distributed
import Memory
import Synchronization
import Transport
import Vocabulary
import Wire

/// One-way messages of a distributed actor there, and of another one back: two hops of an activation.
final class HopEcho: EchoPath, Sendable {
    let name = "one-way messages"
    private let process: WireProcess
    private let remote: WireActor
    private let probe: WireProbe
    private let arrivals: HopArrivals

    init(process: WireProcess, remote: WireActor, arrivals: HopArrivals, bulkByteCount: Int) throws {
        self.process = process
        self.remote = remote
        self.arrivals = arrivals
        probe = WireProbe(1, bulk: try BufferSlice.ones(bulkByteCount))
    }

    func run(count: Int, pause: Duration?) async throws -> [Double] {
        let (remote, probe, arrivals) = (remote, probe, arrivals)
        return try await Task(executorPreference: process.loop) {
            var samples: [Double] = []
            samples.reserveCapacity(count)
            for _ in 0..<count {
                let begin = EventLoop.now
                try await remote.hop(probe)
                let end = await arrivals.next()
                samples.append(Double((end - begin).nanoseconds) / 1000)
                if let pause { try await Task.sleep(for: pause) }
            }
            return samples
        }.value
    }
}

/// When hops came back; one is awaited at a time.
final class HopArrivals: Sendable {
    private struct State: Sendable {
        var arrived: Instant?
        var waiter: CheckedContinuation<Instant, Never>?
    }
    private let state = Mutex(State())

    func arrive() {
        let now = EventLoop.now
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            if state.waiter == nil { state.arrived = now }
            return state.waiter
        }
        waiter?.resume(returning: now)
    }

    func next() async -> Instant {
        await withCheckedContinuation { continuation in
            let arrived = state.withLock { state -> Instant? in
                guard let arrived = state.arrived else {
                    state.waiter = continuation
                    return nil
                }
                state.arrived = nil
                return arrived
            }
            if let arrived { continuation.resume(returning: arrived) }
        }
    }
}
