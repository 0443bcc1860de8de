import CAllocationCount
import Glibc
import Memory
import Synchronization
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Allocations of lanes", .timeLimit(.minutes(2)))
struct LaneAllocationTests {
    /// Sends a frame back and forth, `rest` times, and counts what the two loops' threads allocate for it.
    private final class PingPong: Sendable {
        let loops: [EventLoop]
        let pool = BufferPool()
        let links = Mutex<[FrameLink]>([])
        let prepared = Mutex<[FrameLink.Prepared]>([])
        let rest = Atomic<Int>(0)
        let isDone = Atomic<Bool>(false)

        init() async throws {
            loops = [try EventLoop(name: "left"), try EventLoop(name: "right")]
            var pair: [Int32] = [0, 0]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
            for (index, descriptor) in pair.enumerated() {
                let loop = loops[index]
                try await Task(executorPreference: loop) {
                    let link = try FrameLink.adopt(
                        descriptor, loop: loop, pool: self.pool,
                        onFrame: { [weak self] link, _, _, _ in self?.received(link, index) }, onEnded: { _ in })
                    self.links.withLock { $0.append(link) }
                }.value
            }
        }

        private func received(_ link: FrameLink, _ index: Int) {
            if index == 0, rest.wrappingSubtract(1, ordering: .relaxed).newValue <= 0 {
                isDone.store(true, ordering: .releasing)
                return
            }
            prepared.withLock { link.send($0[index]) }
        }

        /// The number of allocations of each loop's thread.
        func run(_ count: Int, bulkByteCount: Int) async throws -> [Int64] {
            let bulk = bulkByteCount > 0 ? try BufferSlice.pattern(bulkByteCount) : nil
            let links = links.withLock { $0 }
            let frames = try links.map { try $0.prepare(TestValue(1, "text", payload: bulk)) }
            prepared.withLock { $0 = frames }
            rest.store(count, ordering: .relaxed)
            isDone.store(false, ordering: .relaxed)
            for loop in loops { await Self.on(loop) { sl_allocation_count_begin() } }
            loops[0].execute { links[0].send(frames[0]) }
            while !isDone.load(ordering: .acquiring) { try await Task.sleep(for: .milliseconds(1)) }
            var counts: [Int64] = []
            for loop in loops {
                let result = Mutex<Int64>(0)
                await Self.on(loop) { result.withLock { $0 = sl_allocation_count_end() } }
                counts.append(result.withLock { $0 })
            }
            return counts
        }

        private static func on(_ loop: EventLoop, _ body: @escaping @Sendable () -> Void) async {
            await withCheckedContinuation { continuation in
                loop.execute {
                    body()
                    continuation.resume()
                }
            }
        }

        func end() {
            for (index, link) in links.withLock({ $0 }).enumerated() { loops[index].execute { link.close() } }
            for loop in loops { loop.stop() }
        }
    }

    /// A few allocations are the test's own: the block that starts the exchange, and tasks that happen to run there.
    private static let ownCount: Int64 = 8

    @Test(arguments: [0, 4096, 65_536]) func framesInSteadyStateAllocateNothing(bulkByteCount: Int) async throws {
        let pingPong = try await PingPong()
        let first = try await pingPong.run(50, bulkByteCount: bulkByteCount)
        #expect(first.contains { $0 > 0 }, "nothing is counted at all")
        let steady = try await pingPong.run(2000, bulkByteCount: bulkByteCount)
        #expect(steady.allSatisfy { $0 <= Self.ownCount }, "\(steady) allocations for 2000 round trips")
        pingPong.end()
    }
}
