/// A GGUF file (version 2 or 3, little-endian, not split), open and mapped read-only.
///
/// Everything the header claims has been checked against the file's size by the time the initialiser returns. A file
/// that was cut short while it is open gives an error with `read`; where `bytes` touches what is gone, the process ends
/// with SIGBUS. Replace model files by renaming.
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
            // Header and tensors' edges have been read; around each touched page the system has mapped more.
            contents.dropPages(in: 0..<contents.buffer.count)
        } catch {
            throw error.naming(path)
        }
    }

    private static func map(_ path: String) throws(ModelError) -> FileBytes {
        do throws(ModelError) { return try FileBytes(mapping: path) } catch { throw error.naming(path) }
    }

    public var byteCount: Int { contents.buffer.count }

    /// When the file was last written to, in nanoseconds since 1970; nil for a file in memory.
    public var modificationNanoseconds: Int64? { contents.modificationNanoseconds }

    public func tensor(_ name: String) -> TensorDescription? { indices[name].map { tensors[$0] } }

    /// The tensor's bytes in the file; valid as long as this object lives.
    ///
    /// - Precondition: `tensor` is one of this file's.
    public func bytes(of tensor: TensorDescription) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: contents.buffer[tensor.range])
    }

    /// Copies `range` of the tensor's bytes to `target`: the way for large tensors, for no page of the file is held
    /// by the process. May be called from several threads.
    ///
    /// - Precondition: `tensor` is one of this file's and holds the range.
    public func read(
        _ range: Range<Int>, of tensor: TensorDescription, into target: UnsafeMutableRawPointer
    ) throws(ModelError) {
        do throws(ModelError) {
            try contents.read(Self.fileRange(range, of: tensor), into: target)
        } catch {
            throw error.naming(path)
        }
    }

    /// Says that `range` of the tensor's bytes is read next, so that the disk can begin.
    public func willRead(_ range: Range<Int>, of tensor: TensorDescription) {
        contents.willRead(Self.fileRange(range, of: tensor))
    }

    /// Lets the system take back the memory of a tensor that was looked at by `bytes`; it is read again if needed.
    public func dropPages(of tensor: TensorDescription) { contents.dropPages(in: tensor.range) }

    private static func fileRange(_ range: Range<Int>, of tensor: TensorDescription) -> Range<Int> {
        precondition(range.lowerBound >= 0 && range.upperBound <= tensor.byteCount, "a range outside the tensor")
        return tensor.offset + range.lowerBound..<tensor.offset + range.upperBound
    }
}
