package import Tensors

/// The head of a weight cache's file. Behind it stand the packed bytes and nothing else.
///
/// Integers are little-endian:
///
///     magic "SLPACKED"              8 bytes
///     version of this layout        u32
///     numerics revision             u32
///     version of the packed layout  u32
///     type number                   u32
///     rows, columns                 u64 each
///     packed bytes                  u64
///     bytes of a piece              u64
///     the model's modification      i64
///     fingerprint, tensor           u32 length and that many bytes each
///     hash of the packed tensor     32 bytes (`PackedHash`)
///     hashes of its pieces          32 bytes each
///     zeros                         up to a multiple of 4096 less 32
///     SHA-256 of all before it      32 bytes
///
/// Nothing in a file is believed: who reads it knows what must stand there, up to the hashes, and how long it is.
package struct CacheFileHeader: Sendable {
    /// Why a file is not used.
    package enum Refusal: Error, Hashable, Sendable {
        /// In order, but packed by another version of the program or from an earlier version of the model's file.
        case outdated(String)
        /// Not what this program wrote there.
        case damaged(String)
    }

    package static let version: UInt32 = 1
    private static let magic = Array("SLPACKED".utf8)
    private static let pageByteCount = 4096

    package let bytes: [UInt8]
    private let pieceHashesOffset: Int

    /// Bytes of a tensor's header: where its packed bytes begin.
    package static func byteCount(for key: PackedTensorKey) -> Int {
        let pieceCount = PackedHash.pieceCount(of: key.shape)
        let used = fields(key).count + (pieceCount + 2) * ContentHash.byteCount
        return (used + pageByteCount - 1) / pageByteCount * pageByteCount
    }

    /// For a file that is written. Nil when OpenSSL cannot hash.
    ///
    /// - Parameter pieceHashes: 32 bytes for each piece.
    package init?(for key: PackedTensorKey, pieceHashes: [UInt8]) {
        guard let hash = pieceHashes.withUnsafeBytes({ PackedHash.of(key.shape, pieceHashes: $0) }) else { return nil }
        var bytes = Self.fields(key)
        bytes += hash.bytes
        pieceHashesOffset = bytes.count
        bytes += pieceHashes
        let rest = Self.byteCount(for: key) - ContentHash.byteCount - bytes.count
        bytes.append(contentsOf: repeatElement(0, count: rest))
        guard let own = bytes.withUnsafeBytes({ ContentHash(of: $0) }) else { return nil }
        bytes += own.bytes
        self.bytes = bytes
    }

    /// For a file that is read.
    ///
    /// - Parameters:
    ///   - bytes: the first `byteCount(for: key)` bytes of the file, or what there is of them.
    ///   - fileByteCount: of the whole file.
    /// - Throws: when it is not the whole and sound header of the file of just this tensor.
    package init(
        checking bytes: [UInt8], fileByteCount: Int, for key: PackedTensorKey
    ) throws(Refusal) {
        let expected = Self.fields(key)
        guard bytes.starts(with: expected) else { throw Self.difference(bytes, from: expected) }
        let byteCount = Self.byteCount(for: key)
        guard bytes.count == byteCount, fileByteCount == byteCount + key.shape.byteCount else {
            throw .damaged("has \(fileByteCount) bytes instead of \(byteCount + key.shape.byteCount)")
        }
        let end = byteCount - ContentHash.byteCount
        guard let own = bytes.withUnsafeBytes({ ContentHash(of: UnsafeRawBufferPointer(rebasing: $0[..<end])) }) else {
            throw .damaged("cannot be verified: OpenSSL computes no SHA-256 here")
        }
        guard bytes.withUnsafeBytes({ ContentHash(stored: UnsafeRawBufferPointer(rebasing: $0[end...])) }) == own else {
            throw .damaged("has a header that does not fit its checksum")
        }
        self.bytes = bytes
        pieceHashesOffset = expected.count + ContentHash.byteCount
        let pieceHashesEnd = pieceHashesOffset + PackedHash.pieceCount(of: key.shape) * ContentHash.byteCount
        let whole = bytes.withUnsafeBytes { bytes in
            PackedHash.of(
                key.shape, pieceHashes: UnsafeRawBufferPointer(rebasing: bytes[pieceHashesOffset..<pieceHashesEnd]))
        }
        guard whole == hash, bytes[pieceHashesEnd..<end].allSatisfy({ $0 == 0 }) else {
            throw .damaged("has hashes that do not fit each other")
        }
    }

    /// The hash of the packed tensor.
    package var hash: ContentHash { stored(at: pieceHashesOffset - ContentHash.byteCount) }

    /// The hash of a piece (`PackedHash.range`).
    package func hash(ofPiece piece: Int) -> ContentHash {
        stored(at: pieceHashesOffset + piece * ContentHash.byteCount)
    }

    private func stored(at offset: Int) -> ContentHash {
        bytes.withUnsafeBytes {
            ContentHash(stored: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + ContentHash.byteCount]))
        }
    }

    // MARK: Fields

    private static let numericsOffset = 12
    private static let layoutOffset = 16
    private static let modificationOffset = 56

    /// Everything before the hashes.
    private static func fields(_ key: PackedTensorKey) -> [UInt8] {
        var bytes = magic
        func append(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(version)
        append(UInt32(Numerics.revision))
        append(UInt32(PackedHash.layoutVersion))
        append(key.shape.format.rawValue)
        for number in [key.shape.rows, key.shape.columns, key.shape.byteCount, PackedHash.pieceByteCount] {
            append(UInt64(number))
        }
        append(key.modelModificationNanoseconds)
        for text in [key.modelFingerprint, key.tensor] {
            append(UInt32(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
        }
        return bytes
    }

    /// What the first difference says about a file.
    private static func difference(_ bytes: [UInt8], from expected: [UInt8]) -> Refusal {
        guard bytes.starts(with: magic) else { return .damaged("is no file of packed weights") }
        func number(_ offset: Int) -> UInt32? {
            guard bytes.count >= offset + 4 else { return nil }
            return bytes.withUnsafeBytes {
                UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            }
        }
        let first = zip(bytes, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? bytes.count
        switch first {
        case magic.count..<numericsOffset:
            return .outdated("has the layout of version \(number(magic.count) ?? 0); this program writes \(version)")
        case numericsOffset..<layoutOffset:
            return .outdated(
                "was packed under numerics revision \(number(numericsOffset) ?? 0); "
                    + "this program has \(Numerics.revision)")
        case layoutOffset..<layoutOffset + 4:
            return .outdated(
                "has packed layout \(number(layoutOffset) ?? 0); this program has \(PackedHash.layoutVersion)")
        case modificationOffset..<modificationOffset + 8:
            return .outdated("was packed before the model's file was last written to")
        default: return .damaged("holds another tensor, or is damaged at byte \(first)")
        }
    }
}
