/// Reads little-endian values one after the other and never past the end.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var remaining: Int { bytes.count - offset }

    /// - Parameter what: names the value in the error.
    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type, _ what: @autoclosure () -> String
    ) throws(ModelError) -> T {
        let byteCount = MemoryLayout<T>.size
        guard remaining >= byteCount else { throw Self.ended(what()) }
        let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
        offset += byteCount
        return T(littleEndian: value)
    }

    /// The next `byteCount` bytes, in place.
    mutating func take(_ byteCount: Int, _ what: @autoclosure () -> String) throws(ModelError) -> UnsafeRawBufferPointer
    {
        guard byteCount >= 0, remaining >= byteCount else { throw Self.ended(what()) }
        defer { offset += byteCount }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount])
    }

    private static func ended(_ what: String) -> ModelError {
        ModelError(.malformed, "the file ends inside \(what); it is truncated or damaged, fetch it again")
    }
}
