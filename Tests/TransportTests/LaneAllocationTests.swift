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

        init(isEncrypted: Bool) async throws {
            let security = try ["left", "right"].map { name in
                isEncrypted ? TransportSecurity(credentials: try TestAuthority.get().credentials(name)) : nil
            }
            loops = [try EventLoop(name: "left"), try EventLoop(name: "right")]
            var pair: [Int32] = [0, 0]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
            for (index, descriptor) in pair.enumerated() {
                let loop = loops[index]
                try await Task(executorPreference: loop) {
                    let link = try FrameLink.adopt(
                        descriptor, security: security[index], accepts: index == 1, loop: loop, pool: self.pool,
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

    @Test(arguments: [0, 4096, 65_536], [false, true])
    func framesInSteadyStateAllocateNothing(bulkByteCount: Int, isEncrypted: Bool) async throws {
        let pingPong = try await PingPong(isEncrypted: isEncrypted)
        let first = try await pingPong.run(50, bulkByteCount: bulkByteCount)
        #expect(first.contains { $0 > 0 }, "nothing is counted at all")
        let steady = try await pingPong.run(2000, bulkByteCount: bulkByteCount)
        // OpenSSL allocates twice for each record that it encrypts or decrypts; nothing else does.
        let recordCount = isEncrypted ? 2 * 2000 * (bulkByteCount / 16_384 + 1) : 0
        let countMax = Self.ownCount + Int64(2 * recordCount)
        #expect(steady.allSatisfy { $0 <= countMax }, "\(steady) allocations for 2000 round trips")
        pingPong.end()
    }

    /// Messages of actors allocate, but not the more the larger their bulk is.
    @Test(.inBothModes) func messagesAllocateNothingInProportionToTheirBulk() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            let bulk = try BufferSlice.pattern(1 << 20)
            let count = 50
            func send() async throws {
                let before = b.notebook.allNumbers.count
                try await Task(executorPreference: a.loop) {
                    for number in 0..<count {
                        try await echo.note(TestValue(UInt64(number), payload: bulk))
                        // One at a time, as steps are: what waits meanwhile would need places of its own.
                        while b.notebook.allNumbers.count <= before + number {
                            try await Task.sleep(for: .milliseconds(1))
                        }
                    }
                }.value
            }
            // The pool gets its buffers.
            try await send()
            for loop in [a.loop, b.loop] { await LoopMeasure.begin(loop) }
            try await send()
            for loop in [a.loop, b.loop] {
                let byteCount = await LoopMeasure.byteCount(loop)
                #expect(byteCount < count * (16 << 10), "\(byteCount / count) bytes a message of \(1 << 20)")
            }
        }
    }
}
