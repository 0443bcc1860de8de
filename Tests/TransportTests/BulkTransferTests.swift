import CAllocationCount
import Glibc
import Memory
import Synchronization
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Bulk transfers", .timeLimit(.minutes(2)))
struct BulkTransferTests {
    /// A buffer in parts of `sizes`, filled from the pattern of `seed`, or with one byte.
    private static func parts(_ sizes: [Int], seed: UInt64? = nil) throws -> [BufferSlice] {
        let byteCount = sizes.reduce(0, +)
        let whole =
            try seed.map { try BufferSlice.pattern(byteCount, seed: $0) }
            ?? BufferSlice(buffer: try AlignedBuffer(byteCount: byteCount))
        var offset = 0
        return sizes.map { size in
            defer { offset += size }
            return BufferSlice(buffer: whole.buffer, offset: offset, byteCount: size)
        }
    }

    private static func isEqual(_ left: [BufferSlice], _ right: [BufferSlice]) -> Bool {
        BufferSlice(buffer: left[0].buffer).isEqual(to: BufferSlice(buffer: right[0].buffer))
    }

    private static func outcome(
        _ body: () async throws -> Void
    ) async -> BulkFailure.Reason? {
        await error(BulkFailure.self) { try await body() }?.reason
    }

    private static let sizes: [[Int]] = [
        [1], [80], [4096], [262_143], [262_144], [262_145], [1, 2, 3, 300_000], [5 << 20],
        Array(repeating: 1000, count: 700),
    ]

    @Test(arguments: sizes.indices) func landsInPlaceWhateverTheParts(_ index: Int) async throws {
        try await withPair { a, b in
            let source = try Self.parts(Self.sizes[index], seed: 3)
            // Other parts than the sender's.
            let byteCount = source.reduce(0) { $0 + $1.byteCount }
            let places = try Self.parts([byteCount / 3, byteCount - byteCount / 3])
            let grant = try b.system.grantBulk(from: a.node, into: places)
            try await a.system.sendBulk(source, transfer: grant.transfer, to: b.node)
            try await grant.landed()
            #expect(Self.isEqual(source, places))
        }
    }

    @Test func theSenderMayBeEarly() async throws {
        try await withPair { a, b in
            let source = try Self.parts([100_000], seed: 4)
            let sending = try a.system.startSendingBulk(source, transfer: 1, to: b.node)
            try await Task.sleep(for: .milliseconds(50))
            let places = try Self.parts([100_000])
            let grant = try b.system.grantBulk(from: a.node, into: places)
            #expect(grant.transfer == 1)
            try await grant.landed()
            try await sending.landed()
            #expect(Self.isEqual(source, places))
            // What is done is done.
            let again = await Self.outcome { try await a.system.sendBulk(source, transfer: 1, to: b.node) }
            #expect(again == .refused)
        }
    }

    @Test func severalTakeTurnsInBothDirections() async throws {
        try await withPair { a, b in
            let order = Notebook()
            let large = try Self.parts([48 << 20], seed: 1)
            let small = try Self.parts([10_000], seed: 2)
            let back = try Self.parts([8 << 20], seed: 5)
            let (largePlace, smallPlace) = (try Self.parts([48 << 20]), try Self.parts([10_000]))
            let backPlace = try Self.parts([8 << 20])
            let first = try b.system.grantBulk(from: a.node, into: largePlace) { _ in order.write("large") }
            let second = try b.system.grantBulk(from: a.node, into: smallPlace) { _ in order.write("small") }
            let third = try a.system.grantBulk(from: b.node, into: backPlace)
            let sendings = [
                try a.system.startSendingBulk(large, transfer: first.transfer, to: b.node),
                try a.system.startSendingBulk(small, transfer: second.transfer, to: b.node),
                try b.system.startSendingBulk(back, transfer: third.transfer, to: a.node),
            ]
            for sending in sendings { try await sending.landed() }
            for grant in [first, second, third] { try await grant.landed() }
            #expect(order.allWords == ["small", "large"])
            #expect(Self.isEqual(large, largePlace) && Self.isEqual(small, smallPlace))
            #expect(Self.isEqual(back, backPlace))
        }
    }

    @Test func aWrongLengthFailsAtBothEnds() async throws {
        try await withPair { a, b in
            for byteCount in [99, 101, 0] {
                let grant = try b.system.grantBulk(from: a.node, into: try Self.parts([100]))
                let source = try Self.parts([byteCount], seed: 1)
                let sent = await Self.outcome {
                    try await a.system.sendBulk(source, transfer: grant.transfer, to: b.node)
                }
                let landed = await Self.outcome { try await grant.landed() }
                #expect(sent == .wrongLength && landed == .wrongLength)
            }
            #expect(a.lostReasons.isEmpty && b.lostReasons.isEmpty)
        }
    }

    @Test func theReceiverMayCancelInTheMidst() async throws {
        try await withPair { a, b in
            let source = try Self.parts([64 << 20], seed: 1)
            let places = try Self.parts([64 << 20])
            let grant = try b.system.grantBulk(from: a.node, into: places)
            let sending = try a.system.startSendingBulk(source, transfer: grant.transfer, to: b.node)
            try await eventually("bytes come") { places[0].withUnsafeBytes { $0[0] != 0 } }
            grant.cancel()
            // It may just have been over.
            let landed = await Self.outcome { try await grant.landed() }
            let sent = await Self.outcome { try await sending.landed() }
            #expect(landed == sent && (landed == .cancelled || landed == nil))
            // The place is the owner's again: what is still on its way does not touch it.
            places[0].withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0xAB) }
            try await Self.transferSomething(a, b)
            #expect(places[0].withUnsafeBytes { $0.allSatisfy { $0 == 0xAB } })
            #expect(a.lostReasons.isEmpty && b.lostReasons.isEmpty)
        }
    }

    @Test func theSenderMayCancelInTheMidst() async throws {
        try await withPair { a, b in
            let source = try Self.parts([64 << 20], seed: 1)
            let places = try Self.parts([64 << 20])
            let grant = try b.system.grantBulk(from: a.node, into: places)
            let sending = Task { try await a.system.sendBulk(source, transfer: grant.transfer, to: b.node) }
            try await eventually("bytes come") { places[0].withUnsafeBytes { $0[0] != 0 } }
            sending.cancel()
            let sent = await Self.outcome { try await sending.value }
            // The buffer is the owner's again: changing it breaks nobody's checksum.
            source[0].withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0xAB) }
            let landed = await Self.outcome { try await grant.landed() }
            #expect(landed == sent && (landed == .cancelled || landed == nil))
            try await Self.transferSomething(a, b)
            #expect(a.lostReasons.isEmpty && b.lostReasons.isEmpty)
        }
    }

    private static func transferSomething(_ a: TestProcess, _ b: TestProcess) async throws {
        let source = try parts([300_000], seed: 9)
        let places = try parts([300_000])
        let grant = try b.system.grantBulk(from: a.node, into: places)
        try await a.system.sendBulk(source, transfer: grant.transfer, to: b.node)
        try await grant.landed()
        #expect(isEqual(source, places))
    }

    @Test func whatDoesNotComeInTimeFails() async throws {
        try await withPair { a, b in
            let grant = try b.system.grantBulk(
                from: a.node, into: try Self.parts([100]), timeout: .milliseconds(50))
            let unsent = await Self.outcome { try await grant.landed() }
            #expect(unsent == .timedOut)
            let source = try Self.parts([100], seed: 1)
            let late = await Self.outcome {
                try await a.system.sendBulk(source, transfer: grant.transfer, to: b.node)
            }
            #expect(late == .refused)
            let ungranted = await Self.outcome {
                try await a.system.sendBulk(source, transfer: 2, to: b.node, timeout: .milliseconds(50))
            }
            #expect(ungranted == .timedOut)
            // Its grant comes after all, and finds nobody: the grant's own time runs out.
            let second = try b.system.grantBulk(
                from: a.node, into: try Self.parts([100]), timeout: .milliseconds(50))
            let unwanted = await Self.outcome { try await second.landed() }
            #expect(unwanted == .timedOut)
            #expect(a.lostReasons.isEmpty && b.lostReasons.isEmpty)
        }
    }

    @Test func aLostPeerEndsTransfers() async throws {
        try await withPair { a, b in
            let grant = try b.system.grantBulk(from: a.node, into: try Self.parts([100]))
            let source = try Self.parts([100], seed: 1)
            let early = try a.system.startSendingBulk(source, transfer: 7, to: b.node)
            a.system.disconnect(b.node, reason: "the test says so")
            let (landed, sent) = (
                await Self.outcome { try await grant.landed() }, await Self.outcome { try await early.landed() }
            )
            #expect(landed == .lost && sent == .lost)
            let later = await Self.outcome { _ = try b.system.grantBulk(from: a.node, into: try Self.parts([1])) }
            #expect(later == .lost)
        }
    }

    @Test func grantsHaveLimits() async throws {
        try await withPair({
            $0.bulkGrantCountMax = 3
            $0.bulkGrantByteCountMax = 1000
        }) { a, b in
            let first = try b.system.grantBulk(from: a.node, into: try Self.parts([900]))
            let large = await Self.outcome { _ = try b.system.grantBulk(from: a.node, into: try Self.parts([101])) }
            #expect(large == .overloaded)
            _ = try b.system.grantBulk(from: a.node, into: try Self.parts([50]))
            _ = try b.system.grantBulk(from: a.node, into: try Self.parts([50]))
            let many = await Self.outcome { _ = try b.system.grantBulk(from: a.node, into: try Self.parts([0, 1])) }
            #expect(many == .overloaded)
            let none = await Self.outcome { _ = try b.system.grantBulk(from: a.node, into: try Self.parts([0])) }
            #expect(none == .refused)
            first.cancel()
            let over = await Self.outcome { try await first.landed() }
            #expect(over == .cancelled)
            _ = try b.system.grantBulk(from: a.node, into: try Self.parts([101]))
        }
    }

    @Test func nothingIsAllocatedInProportion() async throws {
        try await withPair { a, b in
            let byteCount = 64 << 20
            let (source, places) = (try Self.parts([byteCount], seed: 1), try Self.parts([byteCount]))
            try await Self.transferSomething(a, b)
            for loop in [a.loop, b.loop] { await Self.on(loop) { sl_allocation_count_begin() } }
            let grant = try b.system.grantBulk(from: a.node, into: places)
            try await a.system.sendBulk(source, transfer: grant.transfer, to: b.node)
            try await grant.landed()
            for loop in [a.loop, b.loop] {
                let counts = Mutex<(count: Int64, byteCount: Int64)>((0, 0))
                await Self.on(loop) {
                    let count = sl_allocation_count_end()
                    counts.withLock { $0 = (count, sl_allocation_byte_count()) }
                }
                let (count, byteCount) = counts.withLock { $0 }
                // 256 pieces went through; some of it is the heartbeat's and the test's own.
                #expect(count < 200 && byteCount < 256 << 10, "\(count) allocations of \(byteCount) bytes")
            }
            #expect(Self.isEqual(source, places))
        }
    }

    private static func on(_ loop: EventLoop, _ body: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { continuation in
            loop.execute {
                body()
                continuation.resume()
            }
        }
    }
}
