import Cluster
import Foundation
import Logging
import Orchestration
import Synchronization
import Transport
import Vocabulary

/// Requests of 32 tokens to a coordinator in this process, so many at once; the next comes when one ends.
final class LaneLoad: Sendable {
    struct Result: Sendable {
        var tokenCount: Int
        var requestCount: Int
        var seconds: Double
        var loopSeconds: Double
        var processSeconds: Double
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let runningCount: Int
    private let coordinator: CoordinatorService
    private let authority: LocalAuthority?
    private let stages: StagesProcess
    private let counts = Counts()

    private final class Counts: Sendable {
        let tokens = Atomic<Int>(0)
        let requests = Atomic<Int>(0)
        let nextRequest = Atomic<UInt64>(1)
        let isStopping = Atomic<Bool>(false)
        let failure = Mutex<String?>(nil)
    }

    init(runningCount: Int, stagesCPU: Int?, isInsecure: Bool) async throws {
        self.runningCount = runningCount
        var logger = Logger(label: "bench-core")
        logger.logLevel = .error
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("bench-core-\(UUID().uuidString)")
        let authority = isInsecure ? nil : try LocalAuthority(root: root.path, isTemporary: true)
        self.authority = authority
        let security = try authority.map {
            try CoordinatorSecurity(.authority($0.authority, lifetimeSeconds: 86_400), logger: logger)
        }
        coordinator = try await CoordinatorService(
            host: "127.0.0.1", port: 0,
            models: [.init(profile: BenchmarkModel.profile, text: BenchmarkModel.Text())],
            settings: BenchmarkModel.settings(runningCount: runningCount), security: security,
            options: TransportOptions(), logger: logger)
        stages = try StagesProcess(
            coordinatorPort: coordinator.port, cpu: stagesCPU,
            folders: try authority.map { authority in
                try SimulatedNode.names.map { try authority.makeNodeFolder($0, lifetimeSeconds: 86_400) }
            })
        try await waitUntilReady()
    }

    private func waitUntilReady() async throws {
        for _ in 0..<1_000 {
            guard let reason = await coordinator.unreadyReason() else { return }
            guard stages.isRunning else {
                await stop()
                throw Failure(description: "the stages' process ended before they were ready: \(reason)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        let reason = await coordinator.unreadyReason() ?? "no reason"
        await stop()
        throw Failure(description: "the stages are not ready after 20 s: \(reason)")
    }

    func stop() async {
        stages.stop()
        await coordinator.shutdown()
        authority?.remove()
    }

    func measure(seconds: Double) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<runningCount {
                group.addTask { await self.stream() }
            }
            try await Task.sleep(for: .seconds(seconds / 4))
            let before = sample()
            try await Task.sleep(for: .seconds(seconds))
            let after = sample()
            counts.isStopping.store(true, ordering: .relaxed)
            for try await _ in group {}
            if let failure = counts.failure.withLock({ $0 }) { throw Failure(description: failure) }
            return Result(
                tokenCount: after.tokenCount - before.tokenCount,
                requestCount: after.requestCount - before.requestCount, seconds: after.seconds - before.seconds,
                loopSeconds: after.loopSeconds - before.loopSeconds,
                processSeconds: after.processSeconds - before.processSeconds)
        }
    }

    private func sample() -> Result {
        let times = ProcessorTimes.current()
        return Result(
            tokenCount: counts.tokens.load(ordering: .relaxed),
            requestCount: counts.requests.load(ordering: .relaxed),
            seconds: Double(EventLoop.now.nanoseconds) / 1e9, loopSeconds: times.loopSeconds,
            processSeconds: times.processSeconds)
    }

    /// One request after another, until all is measured.
    private func stream() async {
        while !counts.isStopping.load(ordering: .relaxed) {
            let number = counts.nextRequest.wrappingAdd(1, ordering: .relaxed).oldValue
            for await event in await coordinator.generate(BenchmarkModel.request(number: number)) {
                switch event {
                case .output(_, let tokens): counts.tokens.wrappingAdd(tokens.count, ordering: .relaxed)
                case .finished: counts.requests.wrappingAdd(1, ordering: .relaxed)
                case .failed(let failure):
                    counts.failure.withLock { $0 = "request \(number) failed: \(failure)" }
                    counts.isStopping.store(true, ordering: .relaxed)
                case .accepted, .promptScored: break
                }
            }
        }
    }
}
