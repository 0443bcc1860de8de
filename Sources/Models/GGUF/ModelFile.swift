/// A GGUF file (version 2 or 3, little-endian, not split), mapped read-only.
///
/// Everything the header claims has been checked against the file's size by the time the initialiser returns. A file
/// that is cut short while it is open ends the process with SIGBUS; replace model files by renaming.
public final class ModelFile: Sendable {
    public let path: String
    /// The GGUF version: 2 or 3.
    public let version: UInt32
    public let metadata: [String: MetadataValue]
    /// In the header's order.
    public let tensors: [TensorDescription]
    /// Hex SHA-256 over the header (metadata and tensor descriptions), the file's size and the first and last 4 KiB
    /// of each tensor: the same on every host that has the same file, at the cost of reading a few pages.
    public let fingerprint: String

    private let contents: FileBytes
    private let indices: [String: Int]

    /// - Throws: `ModelError`, its message beginning with the path.
    public convenience init(path: String) throws(ModelError) {
        try self.init(Self.map(path), path: path)
    }

    /// - Parameter path: what errors call it.
    package init(_ contents: FileBytes, path: String) throws(ModelError) {
        do throws(ModelError) {
            let header = try HeaderParser.parse(contents.buffer)
            self.path = path
            self.contents = contents
            version = header.version
            metadata = header.metadata
            tensors = header.tensors
            indices = Dictionary(
                zip(header.tensors.map(\.name), header.tensors.indices), uniquingKeysWith: { first, _ in first })
            fingerprint = try Fingerprint.compute(
                of: contents.buffer, headerByteCount: header.byteCount, tensors: header.tensors)
        } catch {
            throw error.naming(path)
        }
    }

    private static func map(_ path: String) throws(ModelError) -> FileBytes {
        do throws(ModelError) { return try FileBytes(mapping: path) } catch { throw error.naming(path) }
    }

    public var byteCount: Int { contents.buffer.count }

    public func tensor(_ name: String) -> TensorDescription? { indices[name].map { tensors[$0] } }

    /// The tensor's bytes in the file; valid as long as this object lives.
    ///
    /// - Precondition: `tensor` is one of this file's.
    public func bytes(of tensor: TensorDescription) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: contents.buffer[tensor.range])
    }

    /// Lets the system take back the memory of a tensor that has been copied elsewhere; it is read again if needed.
    public func dropPages(of tensor: TensorDescription) { contents.dropPages(in: tensor.range) }
}
