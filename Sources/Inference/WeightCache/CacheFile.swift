import Glibc
import Memory
import Synchronization
import Tensors

/// A file of a weight cache that is open for reading, its header checked.
final class CacheFile: Sendable {
    private let descriptor: Int32
    private let key: PackedTensorKey
    private let header: CacheFileHeader
    private let headerByteCount: Int

    /// Nil when there is no such file.
    ///
    /// - Throws: when the file is not in order or cannot be read.
    init?(path: String, key: PackedTensorKey) throws(CacheFileHeader.Refusal) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .damaged("cannot be opened: \(String(cString: strerror(errno)))")
        }
        do throws(CacheFileHeader.Refusal) {
            header = try Self.header(descriptor, key)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.key = key
        headerByteCount = header.bytes.count
    }

    deinit { close(descriptor) }

    private static func header(
        _ descriptor: Int32, _ key: PackedTensorKey
    ) throws(CacheFileHeader.Refusal) -> CacheFileHeader {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .damaged("is not a regular file")
        }
        // How long a header is follows from the key: no length in the file is asked.
        let byteCount = min(CacheFileHeader.byteCount(for: key), max(0, Int(status.st_size)))
        var failure: CacheFileHeader.Refusal?
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            guard let base = buffer.baseAddress, byteCount > 0 else { return }
            failure = read(descriptor, at: 0, into: base, byteCount: byteCount)
            count = failure == nil ? byteCount : 0
        }
        if let failure { throw failure }
        return try CacheFileHeader(checking: bytes, fileByteCount: Int(status.st_size), for: key)
    }

    /// Reads all packed bytes to `target`, over all threads, each piece against its hash. Leaves zeros there when it
    /// throws.
    ///
    /// - Parameter progress: called on the calling thread now and then and at the end, with the bytes that are done.
    func read(
        into target: UnsafeMutableRawPointer, context: ComputeContext, progress: (_ doneByteCount: Int) -> Void
    ) throws(CacheFileHeader.Refusal) {
        let pieceCount = PackedHash.pieceCount(of: key.shape)
        let piecesPerSection = Self.sectionByteCount / PackedHash.pieceByteCount
        let failure = Mutex<CacheFileHeader.Refusal?>(nil)
        var first = 0
        while first < pieceCount {
            let count = min(piecesPerSection, pieceCount - first)
            // Keeps the disk a section ahead; advice only.
            let offset = headerByteCount + first * PackedHash.pieceByteCount
            _ = posix_fadvise(descriptor, off_t(offset), off_t(2 * Self.sectionByteCount), POSIX_FADV_WILLNEED)
            context.parallel(tileCount: count) { tile in
                guard let found = read(piece: first + tile, into: target) else { return }
                failure.withLock { $0 = $0 ?? found }
            }
            if let failure = failure.withLock({ $0 }) {
                target.initializeMemory(as: UInt8.self, repeating: 0, count: key.shape.byteCount)
                throw failure
            }
            first += count
            progress(PackedHash.range(ofPiece: first - 1, of: key.shape).upperBound)
        }
    }

    private static let sectionByteCount = 64 << 20

    /// Gives what is wrong with the piece.
    private func read(piece: Int, into target: UnsafeMutableRawPointer) -> CacheFileHeader.Refusal? {
        let range = PackedHash.range(ofPiece: piece, of: key.shape)
        let place = target + range.lowerBound
        let offset = headerByteCount + range.lowerBound
        if let failure = Self.read(descriptor, at: offset, into: place, byteCount: range.count) { return failure }
        let hash = ContentHash(of: UnsafeRawBufferPointer(start: place, count: range.count))
        guard hash == header.hash(ofPiece: piece) else {
            return .damaged("is damaged: bytes \(offset) to \(offset + range.count - 1) do not fit their hash")
        }
        return nil
    }

    private static func read(
        _ descriptor: Int32, at offset: Int, into target: UnsafeMutableRawPointer, byteCount: Int
    ) -> CacheFileHeader.Refusal? {
        var doneCount = 0
        while doneCount < byteCount {
            let count = pread(descriptor, target + doneCount, byteCount - doneCount, off_t(offset + doneCount))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                return .damaged("cannot be read at byte \(offset + doneCount): \(String(cString: strerror(errno)))")
            }
            guard count > 0 else { return .damaged("ends at byte \(offset + doneCount)") }
            doneCount += count
        }
        return nil
    }
}
