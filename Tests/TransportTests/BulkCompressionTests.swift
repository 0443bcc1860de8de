import Memory
import Testing
import Transport
import Vocabulary
import Wire

@Suite("Compressed bulk", .timeLimit(.minutes(2)))
struct BulkCompressionTests {
    /// f16 numbers around 1, whose upper bytes are nearly all the same.
    private static func numbers(_ byteCount: Int, seed: UInt64) throws -> BufferSlice {
        let slice = try BufferSlice.pattern(byteCount, seed: seed)
        slice.withUnsafeMutableBytes { bytes in
            for index in stride(from: 1, to: byteCount, by: 2) { bytes[index] = 0x3C + (bytes[index] & 1) }
        }
        return slice
    }

    @Test func arrivesAsItWas() async throws {
        try await withPair({ $0.bulkCompression = .always }) { a, b in
            for (index, byteCount) in [1, 2, 1000, 262_145, 3_000_001].enumerated() {
                // Numbers shrink; a random pattern goes as it is.
                for source in [
                    try Self.numbers(byteCount, seed: UInt64(index)), try BufferSlice.pattern(byteCount, seed: 1),
                ] {
                    let place = BufferSlice(buffer: try AlignedBuffer(byteCount: byteCount))
                    let halves = [
                        BufferSlice(buffer: place.buffer, byteCount: byteCount / 2),
                        BufferSlice(buffer: place.buffer, offset: byteCount / 2),
                    ]
                    let grant = try b.system.grantBulk(from: a.node, into: halves)
                    try await a.system.sendBulk([source], transfer: grant.transfer, to: b.node)
                    try await grant.landed()
                    #expect(place.isEqual(to: source), "\(byteCount)")
                }
            }
        }
    }

    @Test func fewerBytesAreOnTheWire() async throws {
        let victim = try await TestProcess("sender") { $0.bulkCompression = .always }
        let raw = try await RawPeer("raw", port: try victim.listen())
        let source = try Self.numbers(600_001, seed: 1)
        try await raw.control.write(.grant, incarnation: 77, call: 1, object: 600_001)
        let sending = try victim.system.startSendingBulk([source], transfer: 1, to: raw.node)
        var received: [UInt8] = []
        while received.count < source.byteCount {
            let piece = try #require(try await raw.lanes[2].readFrame())
            #expect(piece.header.kind == .piece && piece.header.actor == UInt64(received.count))
            #expect(piece.header.flags == [.checksummed, .bulkIsCompressed, .bulkIsShuffled])
            #expect(piece.bulk.count < 4 * piece.header.bulkUncompressedByteCount / 5)
            let slice = try BulkCodec.decompress(
                try BufferSlice(copying: piece.bulk), of: piece.header, pool: BufferPool())
            received += slice.withUnsafeBytes { Array($0) }
        }
        #expect(source.withUnsafeBytes { $0.elementsEqual(received) })
        try await raw.control.write(.landed, incarnation: 77, call: 1)
        try await sending.landed()
        await victim.end()
    }

    @Test func compressedBulkOfOtherFramesKeepsItsPlace() async throws {
        let victim = try await TestProcess("victim")
        let raw = try await RawPeer("raw", port: try victim.listen())
        let bulk = [UInt8](repeating: 9, count: 500_000)
        var compressed = [UInt8](repeating: 0, count: bulk.count)
        let count = try #require(
            bulk.withUnsafeBytes { source in
                compressed.withUnsafeMutableBytes { BulkCodec.compress(source, into: $0) }
            })
        // Others lie behind each of them, and must wait for it.
        var bytes: [UInt8] = []
        for number in 0..<20 as Range<UInt64> {
            let isCompressed = number % 2 == 0
            bytes += RawLane.frame(
                .oneWay, control: try TestValue(number).encodeControl(),
                bulk: isCompressed ? Array(compressed[..<count]) : [1], incarnation: 77, method: 4, object: 7
            ) { header in
                guard isCompressed else { return }
                header.flags.insert(.bulkIsCompressed)
                header.bulkUncompressedByteCount = bulk.count
            }
        }
        try await raw.activations.write(bytes)
        try await eventually("all come") { victim.notebook.allNumbers.count == 20 }
        #expect(victim.notebook.allNumbers == Array(0..<20))
        await victim.end()
    }

    @Test func aTransferMayBeGivenUpWhileItIsCompressed() async throws {
        try await withPair({ $0.bulkCompression = .always }) { a, b in
            let source = try Self.numbers(32 << 20, seed: 1)
            let place = BufferSlice(buffer: try AlignedBuffer(byteCount: source.byteCount))
            for _ in 0..<3 {
                place.withUnsafeMutableBytes { $0[0] = 0 }
                let grant = try b.system.grantBulk(from: a.node, into: [place])
                let sending = try a.system.startSendingBulk([source], transfer: grant.transfer, to: b.node)
                try await Task.sleep(for: .milliseconds(5))
                sending.cancel()
                let (sent, landed) = (
                    await error(BulkFailure.self) { try await sending.landed() },
                    await error(BulkFailure.self) { try await grant.landed() }
                )
                // It may just have been over.
                #expect(sent?.reason == landed?.reason && (sent == nil || sent?.reason == .cancelled))
            }
            let grant = try b.system.grantBulk(from: a.node, into: [place])
            try await a.system.sendBulk([source], transfer: grant.transfer, to: b.node)
            try await grant.landed()
            #expect(place.isEqual(to: source))
        }
    }

    @Test func brokenBlocksEndThePeer() async throws {
        let victim = try await TestProcess("victim")
        let port = try victim.listen()
        for flags in [[.checksummed, .bulkIsCompressed], [.checksummed, .bulkIsCompressed, .bulkIsShuffled]]
            as [FrameFlags]
        {
            let raw = try await RawPeer("raw\(flags.rawValue)", port: port)
            let place = BufferSlice(buffer: try AlignedBuffer(byteCount: 1000))
            let grant = try victim.system.grantBulk(from: raw.node, into: [place])
            try await raw.lanes[2].write(
                .piece, bulk: [UInt8](repeating: 0xFF, count: 100), incarnation: 77, call: grant.transfer
            ) { header in
                header.flags = flags
                header.bulkUncompressedByteCount = 1000
            }
            #expect(await error(BulkFailure.self) { try await grant.landed() }?.reason == .lost)
        }
        await victim.end()
    }

    @Test func compressingPaysOnSlowLinksAlone() {
        var choice = CompressionChoice()
        #expect(!choice.pays(linkRate: 1e6))
        choice.note(byteCount: 1_000_000, compressedByteCount: 750_000, seconds: 0.001)
        #expect(choice.pays(linkRate: 125e6))
        #expect(!choice.pays(linkRate: nil))
        // The compressor gives 1 GB/s: a link nearly as fast gains nothing.
        #expect(!choice.pays(linkRate: 0.95e9) && !choice.pays(linkRate: 10e9))
        for _ in 0..<100 { choice.note(byteCount: 1000, compressedByteCount: 950, seconds: 1e-6) }
        #expect(!choice.pays(linkRate: 125e6))
    }
}
