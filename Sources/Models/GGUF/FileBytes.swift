import CPlatform
import Glibc

/// The bytes of a model file: open and mapped read-only, or held in memory (tests, fuzzing).
///
/// @unchecked Sendable: the bytes are written before the initialiser returns and never after.
package final class FileBytes: @unchecked Sendable {
    /// Headers and other small things are looked at here; what is large is better had with `read`.
    package let buffer: UnsafeRawBufferPointer
    /// When the file was last written to, in nanoseconds since 1970; nil in memory.
    package let modificationNanoseconds: Int64?
    /// Nil in memory.
    private let descriptor: Int32?

    /// A file that another process cuts short while it is mapped kills this process with SIGBUS when it touches
    /// what is gone; that is a limit of mapping. Replace model files by renaming.
    package init(mapping path: String) throws(ModelError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.unreadable("cannot be opened", errno) }
        do throws(ModelError) {
            (buffer, modificationNanoseconds) = try Self.map(descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    private static func map(_ descriptor: Int32) throws(ModelError) -> (UnsafeRawBufferPointer, Int64) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable("cannot be examined", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ModelError(.unreadable, "is not a regular file; name a .gguf file")
        }
        let byteCount = Int(status.st_size)
        guard byteCount > 0 else { throw ModelError(.malformed, "the file is empty") }
        guard let base = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0), base != mapFailed else {
            throw unreadable("cannot be mapped into memory", errno)
        }
        let modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        return (UnsafeRawBufferPointer(start: base, count: byteCount), modified)
    }

    /// A copy of exactly `bytes.count` bytes, so that a sanitizer sees every access beyond them.
    package init(copying bytes: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
        copy.copyMemory(from: bytes)
        buffer = UnsafeRawBufferPointer(copy)
        modificationNanoseconds = nil
        descriptor = nil
    }

    deinit {
        if let descriptor {
            munmap(UnsafeMutableRawPointer(mutating: buffer.baseAddress), buffer.count)
            close(descriptor)
        } else {
            buffer.deallocate()
        }
    }

    /// Copies the bytes of `range`, which lies inside the file, without mapping their pages: the process never holds
    /// more of the file than the copy, and a file that was cut short is an error here.
    func read(_ range: Range<Int>, into target: UnsafeMutableRawPointer) throws(ModelError) {
        precondition(range.lowerBound >= 0 && range.upperBound <= buffer.count, "a range outside the file")
        guard let descriptor else {
            target.copyMemory(from: buffer.baseAddress.unsafelyUnwrapped + range.lowerBound, byteCount: range.count)
            return
        }
        var doneCount = 0
        while doneCount < range.count {
            let offset = range.lowerBound + doneCount
            let count = pread(descriptor, target + doneCount, range.count - doneCount, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.unreadable("cannot be read at byte \(offset)", errno) }
            guard count > 0 else {
                throw ModelError(
                    .unreadable,
                    "ends at byte \(offset) instead of \(buffer.count): it was cut short while it was in use; "
                        + "replace model files by renaming")
            }
            doneCount += count
        }
    }

    /// Says that the bytes of `range` are read next, so that the disk can begin.
    func willRead(_ range: Range<Int>) {
        guard let descriptor else { return }
        // Advice only: without it, reading waits longer.
        _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_WILLNEED)
    }

    /// Gives the resident pages of the mapping that lie wholly inside `range` back; they are read again when touched.
    func dropPages(in range: Range<Int>) {
        guard descriptor != nil, let base = buffer.baseAddress else { return }
        let pageSize = Int(getpagesize())
        let start = (range.lowerBound + pageSize - 1) / pageSize * pageSize
        // The mapping's last page is the file's alone, however little of it is used.
        let end =
            range.upperBound == buffer.count
            ? (range.upperBound + pageSize - 1) / pageSize * pageSize : range.upperBound / pageSize * pageSize
        guard start < end else { return }
        // Advice only: when it fails, the pages stay, which harms nothing.
        _ = madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
    }

    private static var mapFailed: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: -1) }

    private static func unreadable(_ what: String, _ number: Int32) -> ModelError {
        ModelError(.unreadable, "\(what): \(String(cString: strerror(number)))")
    }
}
