import Testing
import Wire
import WireSamples

@Suite struct CRC32CTests {
    /// The check value of the algorithm, and the vectors of RFC 3720, B.4.
    @Test(
        arguments: [
            ([], 0),
            (Array("123456789".utf8), 0xE306_9283),
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
        ] as [([UInt8], UInt32)])
    func matchesKnownVectors(bytes: [UInt8], expected: UInt32) {
        #expect(bytes.withUnsafeBytes { CRC32C.checksum($0) } == expected)
        #expect(bytes.withUnsafeBytes { CRC32C.extendByTables(0, with: $0) } == expected)
    }

    @Test func instructionAndTablesAgree() {
        var random = RandomSource(seed: 1)
        let bytes = random.bytes(60_000...60_000)
        bytes.withUnsafeBytes { bytes in
            for _ in 0..<2000 {
                let start = random.int(0...200)
                let count = random.bool() ? random.int(0...3000) : random.int(0...(bytes.count - start))
                let part = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)])
                let before = UInt32(truncatingIfNeeded: random.next())
                #expect(CRC32C.extend(before, with: part) == CRC32C.extendByTables(before, with: part))
            }
        }
    }

    @Test func extendsAcrossEveryCut() {
        var random = RandomSource(seed: 2)
        let bytes = random.bytes(1000...1000)
        bytes.withUnsafeBytes { bytes in
            let whole = CRC32C.checksum(bytes)
            for cut in 0...bytes.count {
                let first = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<cut]))
                #expect(CRC32C.extend(first, with: UnsafeRawBufferPointer(rebasing: bytes[cut...])) == whole)
            }
        }
    }
}
