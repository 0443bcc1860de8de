import Memory
import Testing
import Transport
import Wire

@Suite("Bulk", .inBothModes, .serialized, .timeLimit(.minutes(4)))
struct BulkTests {
    @Test(arguments: [0, 1, 63, 4096, 70_000, 1 << 20, 64 << 20])
    func arrivesIntactAndAligned(_ byteCount: Int) async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            let sent = try BufferSlice.pattern(byteCount)
            for lane in [Lane.control, .bulk] {
                let value = TestValue(9, "with bulk", payload: sent)
                let reply =
                    lane == .control ? try await echo.echo(value) : try await echo.echoOnBulkLane(value)
                #expect(reply.text == "with bulk")
                guard byteCount > 0 else {
                    #expect(reply.payload == nil)
                    continue
                }
                let received = try #require(reply.payload)
                #expect(received.byteCount == byteCount)
                #expect(UInt(bitPattern: received.base) % 64 == 0)
                #expect(received.isEqual(to: sent))
            }
        }
    }

    @Test func piecesOfBuffersTravel() async throws {
        try await withPair { a, b in
            let whole = try BufferSlice.pattern(10_000)
            let piece = BufferSlice(buffer: whole.buffer, offset: 123, byteCount: 4567)
            let reply = try await a.echo(of: b.node).echo(TestValue(1, payload: piece))
            #expect(try #require(reply.payload).isEqual(to: piece))
        }
    }

    @Test func mixedSizesAtOnce() async throws {
        try await withPair { a, b in
            let echo = try a.echo(of: b.node)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<200 as Range<UInt64> {
                    group.addTask {
                        let sent = try BufferSlice.pattern(Int(index * index * 7 % 300_000), seed: index)
                        let text = String(repeating: "t", count: Int(index * 37 % 50_000))
                        let value = TestValue(index, text, payload: sent)
                        let reply =
                            index.isMultiple(of: 2) ? try await echo.echo(value) : try await echo.echoOnBulkLane(value)
                        guard reply.number == index, reply.text == text else { return false }
                        return reply.payload.map { $0.isEqual(to: sent) } ?? (sent.byteCount == 0)
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test func compressedBulkIsDecompressed() async throws {
        let b = try await TestProcess("b")
        let raw = try await RawPeer("raw", port: try b.listen())
        let plain = [UInt8](repeating: 7, count: 100_000)
        var packed = [UInt8](repeating: 0, count: plain.count)
        let count = try #require(
            plain.withUnsafeBytes { source in
                packed.withUnsafeMutableBytes { BulkCodec.compress(source, into: $0) }
            })
        try await raw.control.write(
            .call, control: try TestValue(3).encodeControl(), bulk: Array(packed[..<count]),
            incarnation: raw.incarnation, method: 1, call: 1, object: 7
        ) {
            $0.flags.insert(.bulkIsCompressed)
            $0.bulkUncompressedByteCount = plain.count
        }
        let reply = try #require(try await raw.control.readFrame())
        #expect(reply.header.kind == .reply)
        #expect(reply.bulk == plain)
        await b.end()
    }

    @Test func controlPartsOfSomeMegabytes() async throws {
        try await withPair { a, b in
            let text = String(repeating: "abcdefgh", count: (4 << 20) / 8 - 1)
            let bulk = try BufferSlice.pattern(5000)
            for _ in 0..<3 {
                let reply = try await a.echo(of: b.node).echo(TestValue(1, text, payload: bulk))
                #expect(reply.text == text)
                #expect(try #require(reply.payload).isEqual(to: bulk))
                #expect(try await a.echo(of: b.node).echo(TestValue(2)).number == 2)
            }
            let tooLarge = await error(TransportError.self) {
                try await a.echo(of: b.node).echo(TestValue(1, text + "123456789"))
            }
            #expect(tooLarge?.kind == .invalidMessage)
        }
    }
}
