import Synchronization
import Testing
import Transport
import Vocabulary

@Suite("Event loop", .timeLimit(.minutes(1)))
struct EventLoopTests {
    private final class Order: Sendable {
        private let numbers = Mutex<[Int]>([])
        func add(_ number: Int) { numbers.withLock { $0.append(number) } }
        var all: [Int] { numbers.withLock { $0 } }
    }

    actor OnLoop {
        let loop: EventLoop
        var count = 0
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        init(loop: EventLoop) { self.loop = loop }
        func add() -> Bool {
            count += 1
            return loop.isInLoop
        }
    }

    @Test func workIsDoneInOrderOnTheLoop() async throws {
        let loop = try EventLoop()
        let order = Order()
        #expect(!loop.isInLoop)
        await withCheckedContinuation { continuation in
            for number in 0..<1000 { loop.execute { order.add(loop.isInLoop ? number : -1) } }
            loop.execute { continuation.resume() }
        }
        #expect(order.all == Array(0..<1000))
        loop.stop()
    }

    @Test func timersFireInOrderAndCanBeCancelled() async throws {
        let loop = try EventLoop()
        let order = Order()
        let begin = EventLoop.now
        var timers: [LoopTimer] = []
        for number in (0..<50).shuffled() {
            timers.append(loop.schedule(at: begin + .milliseconds(UInt64(20 + number))) { order.add(number) })
        }
        let cancelled = (50..<100).map { number in
            loop.schedule(at: begin + .milliseconds(UInt64(number))) { order.add(number) }
        }
        for timer in cancelled.shuffled() { timer.cancel() }
        try await eventually("all timers fire") { order.all.count == 50 }
        #expect((EventLoop.now - begin).nanoseconds >= 69_000_000)
        #expect(order.all == Array(0..<50))
        for timer in timers + cancelled { timer.cancel() }
        loop.stop()
    }

    @Test func actorsAndTasksRunOnIt() async throws {
        let loop = try EventLoop()
        let actor = OnLoop(loop: loop)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 { group.addTask { await actor.add() } }
            for await isInLoop in group { #expect(isInLoop) }
        }
        #expect(await actor.count == 100)
        let isInLoop = await Task(executorPreference: loop) {
            await Task.yield()
            return loop.isInLoop
        }.value
        #expect(isInLoop)
        loop.stop()
    }

    @Test func afterStoppingTasksStillEnd() async throws {
        let loop = try EventLoop()
        let actor = OnLoop(loop: loop)
        loop.stop()
        loop.stop()
        for _ in 0..<100 { _ = await actor.add() }
        #expect(await actor.count == 100)
        let other = try EventLoop()
        other.execute { other.stop() }
        #expect(await OnLoop(loop: other).add())
    }
}
