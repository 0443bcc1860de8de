import CPlatform
import Glibc

/// The bytes of a model file: mapped read-only, or held in memory (tests, fuzzing).
///
/// @unchecked Sendable: the bytes are written before the initialiser returns and never after.
package final class FileBytes: @unchecked Sendable {
    package let buffer: UnsafeRawBufferPointer
    private let isMapped: Bool

    /// A file that another process cuts short while it is mapped kills this process with SIGBUS when it touches
    /// what is gone; that is a limit of mapping. Replace model files by renaming.
    package init(mapping path: String) throws(ModelError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.unreadable("cannot be opened", errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.unreadable("cannot be examined", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ModelError(.unreadable, "is not a regular file; name a .gguf file")
        }
        let byteCount = Int(status.st_size)
        guard byteCount > 0 else { throw ModelError(.malformed, "the file is empty") }
        guard let base = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0), base != Self.mapFailed else {
            throw Self.unreadable("cannot be mapped into memory", errno)
        }
        buffer = UnsafeRawBufferPointer(start: base, count: byteCount)
        isMapped = true
    }

    /// A copy of exactly `bytes.count` bytes, so that a sanitizer sees every access beyond them.
    package init(copying bytes: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 64)
        copy.copyMemory(from: bytes)
        buffer = UnsafeRawBufferPointer(copy)
        isMapped = false
    }

    deinit {
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: buffer.baseAddress), buffer.count)
        } else {
            buffer.deallocate()
        }
    }

    /// Gives the resident pages that lie wholly inside `range` back; they are read again when touched.
    func dropPages(in range: Range<Int>) {
        guard isMapped, let base = buffer.baseAddress else { return }
        let pageSize = Int(getpagesize())
        let start = (range.lowerBound + pageSize - 1) / pageSize * pageSize
        let end = range.upperBound / pageSize * pageSize
        guard start < end else { return }
        // Advice only: when it fails, the pages stay, which harms nothing.
        _ = madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
    }

    private static var mapFailed: UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: -1) }

    private static func unreadable(_ what: String, _ number: Int32) -> ModelError {
        ModelError(.unreadable, "\(what): \(String(cString: strerror(number)))")
    }
}
