import Glibc
import Memory
import Tensors

/// Writes a file of a weight cache: under another name first, given its own when all of it is on the disk. So a file
/// that bears its name is whole, whatever ends the process or the machine, and of several writers the last one wins.
struct CacheFileWriter {
    struct Failure: Error {
        let reason: String
    }

    let folder: String
    let file: String
    /// Bytes that stay free on the file system.
    let freeByteCountMin: UInt64

    func write(_ matrix: PackedMatrix, key: PackedTensorKey) throws(Failure) {
        let byteCount = CacheFileHeader.byteCount(for: key) + matrix.byteCount
        try makeFolder()
        try checkFreeSpace(byteCount)
        let temporary = "\(folder)/.\(file).\(getpid()).\(UInt32.random(in: 0 ... .max))\(Self.temporarySuffix)"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.failure("cannot create \(temporary)") }
        // Says to those who tidy up that the file's writer lives.
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
        defer { close(descriptor) }
        do throws(Failure) {
            try FileSizeSignal.withheld { () throws(Failure) in
                try Self.write(matrix, key: key, to: descriptor)
            }
            guard rename(temporary, "\(folder)/\(file)") == 0 else { throw Self.failure("cannot rename \(temporary)") }
        } catch {
            unlink(temporary)
            throw error
        }
        syncFolder()
    }

    private static func write(
        _ matrix: PackedMatrix, key: PackedTensorKey, to descriptor: Int32
    ) throws(Failure) {
        let headerByteCount = CacheFileHeader.byteCount(for: key)
        var pieceHashes: [UInt8] = []
        for piece in 0..<PackedHash.pieceCount(of: key.shape) {
            let range = PackedHash.range(ofPiece: piece, of: key.shape)
            let bytes = UnsafeRawBufferPointer(start: matrix.bytes.base + range.lowerBound, count: range.count)
            guard let hash = ContentHash(of: bytes) else { throw noHashes }
            pieceHashes += hash.bytes
            try write(bytes, to: descriptor, at: headerByteCount + range.lowerBound)
        }
        guard let header = CacheFileHeader(for: key, pieceHashes: pieceHashes) else { throw noHashes }
        let written = header.bytes.withUnsafeBytes { bytes in
            Result { () throws(Failure) in try write(bytes, to: descriptor, at: 0) }
        }
        try written.get()
        guard fsync(descriptor) == 0 else { throw failure("cannot be brought to the disk") }
    }

    private static func write(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int
    ) throws(Failure) {
        var doneCount = 0
        while doneCount < bytes.count, let base = bytes.baseAddress {
            let count = pwrite(descriptor, base + doneCount, bytes.count - doneCount, off_t(offset + doneCount))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be written at byte \(offset + doneCount)") }
            doneCount += count
        }
    }

    private func makeFolder() throws(Failure) {
        guard mkdir(folder, 0o755) != 0, errno != EEXIST else { return }
        throw Self.failure("cannot create the folder \(folder)")
    }

    private func checkFreeSpace(_ byteCount: Int) throws(Failure) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw Self.failure("cannot examine \(folder)") }
        let (free, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        guard !overflow, free < UInt64(byteCount) + freeByteCountMin else { return }
        throw Failure(
            reason: "only \(free >> 20) MiB are free in \(folder), and \(freeByteCountMin >> 20) MiB stay so; "
                + "make room, or give the cache another folder")
    }

    /// After it, the new name outlives a loss of power.
    private func syncFolder() {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private static let noHashes = Failure(reason: "OpenSSL computes no SHA-256 here")

    private static func failure(_ what: String) -> Failure {
        Failure(reason: "\(what): \(String(cString: strerror(errno)))")
    }

    // MARK: Tidying up

    private static let temporarySuffix = ".tmp"
    /// Between a file's creation and its lock.
    private static let ageSecondsMin = 10

    /// Removes what writers left that were killed.
    static func removeRemains(in folder: String) {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            guard name.hasPrefix("."), name.hasSuffix(temporarySuffix) else { continue }
            removeIfAbandoned("\(folder)/\(name)")
        }
    }

    private static func removeIfAbandoned(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            time(nil) - status.st_mtim.tv_sec >= ageSecondsMin, flock(descriptor, LOCK_EX | LOCK_NB) == 0
        else { return }
        unlink(path)
    }
}
