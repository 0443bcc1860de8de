import Tensors
import Testing

@Suite struct PackedHashTests {
    @Test func hashesAreSHA256() throws {
        let hash = try #require(Array("abc".utf8).withUnsafeBytes { ContentHash(of: $0) })
        #expect(hash.description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hash.bytes.count == ContentHash.byteCount && hash.bytes[0] == 0xba && hash.bytes[31] == 0xad)
        #expect(hash.bytes.withUnsafeBytes { ContentHash(stored: $0) } == hash)
        let other = try #require([UInt8]().withUnsafeBytes { ContentHash(of: $0) })
        #expect(other != hash)
        #expect(Set([hash, other, hash]).count == 2)
    }

    @Test func piecesCoverTheTensor() throws {
        for (rows, columns) in [(1, 1), (16, 4096), (700, 300), (16, 65_536), (17, 65_536)] {
            let shape = try PackedShape(format: .f32, rows: rows, columns: columns)
            var end = 0
            for piece in 0..<PackedHash.pieceCount(of: shape) {
                let range = PackedHash.range(ofPiece: piece, of: shape)
                #expect(range.lowerBound == end && !range.isEmpty)
                #expect(range.count <= PackedHash.pieceByteCount)
                end = range.upperBound
            }
            #expect(end == shape.byteCount)
        }
    }

    /// The name of a tensor's bytes must not change by accident: files and peers go by it. Computed with Python's
    /// hashlib.
    @Test func theHashOfATensorStaysWhatItIs() throws {
        let shape = try PackedShape(format: .f32, rows: 700, columns: 300)
        let bytes = (0..<shape.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        func hash(_ shape: PackedShape) throws -> String {
            var hashes: [UInt8] = []
            for piece in 0..<PackedHash.pieceCount(of: shape) {
                let part = bytes[PackedHash.range(ofPiece: piece, of: shape)]
                hashes += try #require(part.withUnsafeBytes { ContentHash(of: $0) }).bytes
            }
            return try #require(hashes.withUnsafeBytes { PackedHash.of(shape, pieceHashes: $0) }).description
        }
        let expected = [
            1: "f6059122bd0997f33a56f07b26ccd2e245a04cd54065a9edaf6e7c66eedd2724",
            2: "ab3d875246949b17377aed91efe84a18af899a2a76ea780f0b53d40267e5d87f",
        ]
        #expect(try hash(shape) == expected[Numerics.revision], "revision \(Numerics.revision)")
        // The same bytes as another tensor have another name.
        #expect(try hash(PackedShape(format: .f32, rows: 699, columns: 300)) != hash(shape))
    }
}
