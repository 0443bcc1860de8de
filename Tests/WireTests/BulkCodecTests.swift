import Memory
import Testing
import Wire
import WireSamples

@Suite struct BulkCodecTests {
    static func compress(_ bytes: [UInt8], capacity: Int? = nil) -> [UInt8]? {
        var target = [UInt8](repeating: 0, count: capacity ?? bytes.count)
        let count = bytes.withUnsafeBytes { source in
            target.withUnsafeMutableBytes { BulkCodec.compress(source, into: $0) }
        }
        return count.map { Array(target[..<$0]) }
    }

    static func decompress(_ bytes: [UInt8], byteCount: Int) throws -> [UInt8] {
        // Bytes around the target show whether anything is written outside.
        var target = [UInt8](repeating: 0xA5, count: byteCount + 64)
        defer {
            #expect(target[..<32].allSatisfy { $0 == 0xA5 } && target[(32 + byteCount)...].allSatisfy { $0 == 0xA5 })
        }
        try bytes.withUnsafeBytes { source in
            try target.withUnsafeMutableBytes {
                try BulkCodec.decompress(
                    source, into: UnsafeMutableRawBufferPointer(rebasing: $0[32..<(32 + byteCount)]))
            }
        }
        return Array(target[32..<(32 + byteCount)])
    }

    static func compressible(_ random: inout RandomSource) -> [UInt8] {
        let word = random.bytes(1...40)
        return random.list(20...200) { $0.int(0...9) == 0 ? $0.bytes(1...5) : word }.flatMap(\.self)
    }

    @Test func whatIsCompressedComesBack() throws {
        var random = RandomSource(seed: 5)
        for _ in 0..<300 {
            let bytes = Self.compressible(&random)
            let compressed = try #require(Self.compress(bytes))
            #expect(compressed.count < bytes.count)
            #expect(try Self.decompress(compressed, byteCount: bytes.count) == bytes)
        }
    }

    @Test func shufflingIsUndone() {
        var random = RandomSource(seed: 8)
        for count in [0, 1, 2, 3, 15, 16, 17, 1000, 4097, 65_536] {
            let bytes = random.bytes(count...count)
            var planes = [UInt8](repeating: 0, count: count)
            var back = planes
            bytes.withUnsafeBytes { bytes in planes.withUnsafeMutableBytes { BulkCodec.shuffle(bytes, into: $0) } }
            planes.withUnsafeBytes { planes in back.withUnsafeMutableBytes { BulkCodec.unshuffle(planes, into: $0) } }
            let even = stride(from: 0, to: count, by: 2).map { bytes[$0] }
            let odd = stride(from: 1, to: count, by: 2).map { bytes[$0] }
            #expect(planes == even + odd && back == bytes)
        }
    }

    @Test func whatDoesNotShrinkIsLeftAlone() {
        var random = RandomSource(seed: 6)
        for count in [0, 1, 2, 5, 13, 100, 5000] {
            #expect(Self.compress(random.bytes(count...count)) == nil)
        }
        let zeros = [UInt8](repeating: 0, count: 1000)
        #expect(Self.compress(zeros) != nil)
        #expect(Self.compress(zeros, capacity: 3) == nil)
        #expect(Self.compress(zeros, capacity: 0) == nil)
    }

    @Test func anotherLengthIsRefused() throws {
        let bytes = [UInt8](repeating: 7, count: 1000)
        let compressed = try #require(Self.compress(bytes))
        for byteCount in [0, 1, 999, 1001, 5000] {
            #expect(kindOfError { _ = try Self.decompress(compressed, byteCount: byteCount) } == .malformedBulk)
        }
        #expect(kindOfError { _ = try Self.decompress([], byteCount: 10) } == .malformedBulk)
        #expect(kindOfError { _ = try Self.decompress([], byteCount: 0) } == .malformedBulk)
    }

    @Test func damagedBlocksStayInside() throws {
        var random = RandomSource(seed: 7)
        for _ in 0..<3000 {
            let bytes = Self.compressible(&random)
            var compressed = try #require(Self.compress(bytes))
            for _ in 0..<random.int(1...4) {
                compressed[random.int(0...(compressed.count - 1))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.bool() { compressed.removeLast(random.int(1...compressed.count)) }
            // Some damage gives another text of the same length; the checksum is what notices that.
            _ = try? Self.decompress(compressed, byteCount: bytes.count)
        }
    }

    @Test func slicesComeFromAPool() throws {
        let pool = BufferPool()
        let bytes = [UInt8](repeating: 3, count: 100_000)
        let compressed = try #require(try BulkCodec.compress(slice(bytes), pool: pool))
        let back = try BulkCodec.decompress(compressed, byteCount: bytes.count, pool: pool)
        #expect(back.copiedBytes == bytes)
        #expect(try BulkCodec.compress(slice([1, 2, 3]), pool: pool) == nil)
        #expect(kindOfError { _ = try BulkCodec.decompress(compressed, byteCount: 5, pool: pool) } == .malformedBulk)
        #expect(kindOfError { _ = try BulkCodec.decompress(compressed, byteCount: -1, pool: pool) } == .tooLarge)
        #expect(kindOfError { _ = try BulkCodec.decompress(compressed, byteCount: 1 << 40, pool: pool) } == .tooLarge)
    }
}
