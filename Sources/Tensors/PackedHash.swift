/// The one hash of a packed tensor, the same whoever packed it and wherever its bytes are kept.
///
/// It is taken of the hashes of the tensor's pieces and of what the tensor is: so threads hash pieces side by side, and
/// a piece that comes from elsewhere is checked before the rest is there.
public enum PackedHash {
    /// Bytes of a piece; a tensor's last is shorter.
    public static let pieceByteCount = 256 << 10
    /// Grows when the same weights are packed to other bytes.
    public static let layoutVersion = 1

    public static func pieceCount(of shape: PackedShape) -> Int {
        (shape.byteCount + pieceByteCount - 1) / pieceByteCount
    }

    /// The bytes of a piece among the tensor's.
    public static func range(ofPiece piece: Int, of shape: PackedShape) -> Range<Int> {
        piece * pieceByteCount..<min((piece + 1) * pieceByteCount, shape.byteCount)
    }

    /// SHA-256 of these, integers as little-endian u64: numerics revision, layout version, type number, rows, columns,
    /// bytes of a piece; then the hashes of all pieces.
    ///
    /// - Parameter pieceHashes: 32 bytes each, in order.
    /// - Returns: nil when OpenSSL cannot compute it.
    public static func of(_ shape: PackedShape, pieceHashes: UnsafeRawBufferPointer) -> ContentHash? {
        precondition(pieceHashes.count == pieceCount(of: shape) * ContentHash.byteCount, "hashes of another tensor")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(48 + pieceHashes.count)
        let numbers = [
            Numerics.revision, layoutVersion, Int(shape.format.rawValue), shape.rows, shape.columns, pieceByteCount,
        ]
        for number in numbers {
            withUnsafeBytes(of: UInt64(number).littleEndian) { bytes.append(contentsOf: $0) }
        }
        bytes.append(contentsOf: pieceHashes)
        return bytes.withUnsafeBytes { ContentHash(of: $0) }
    }
}
