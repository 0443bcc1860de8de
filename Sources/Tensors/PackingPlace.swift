public import Memory

/// Memory for a packed matrix that is not there yet. A context packs into it, or packed bytes that were kept elsewhere
/// are put there as they are.
public struct PackingPlace: Sendable {
    public let shape: PackedShape
    /// `shape.byteCount` bytes.
    public let bytes: BufferSlice

    init(shape: PackedShape, bytes: BufferSlice) {
        self.shape = shape
        self.bytes = bytes
    }

    /// The matrix. All of its bytes stand there and nobody changes them from now on: they were packed by this program,
    /// or have the hash of bytes that were.
    public func matrix() -> PackedMatrix { PackedMatrix(shape: shape, bytes: bytes) }
}
