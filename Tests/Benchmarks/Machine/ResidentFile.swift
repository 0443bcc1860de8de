import Foundation

/// Brings a file into the page cache and tells whether it is there.
enum ResidentFile {
    /// Reads the file through unless all of it is in memory.
    ///
    /// - Throws: when it cannot be read, or when the system drops it again at once: there is not memory enough.
    static func ensure(_ path: String) throws {
        for _ in 0..<3 {
            if try share(of: path) >= 0.999 { return }
            try readThrough(path)
        }
        let share = try share(of: path)
        guard share >= 0.999 else {
            throw BenchmarkError(
                "only \(Decimals.percent(share)) of \(path) stays in memory; free some memory, or take a smaller model")
        }
    }

    /// The share of the file's pages that are in the page cache.
    static func share(of path: String) throws -> Double {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size > 0 else { throw unreadable(path) }
        let byteCount = Int(status.st_size)
        guard let base = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
            throw unreadable(path)
        }
        defer { munmap(base, byteCount) }
        let pageSize = Int(getpagesize())
        var states = [UInt8](repeating: 0, count: (byteCount + pageSize - 1) / pageSize)
        guard mincore(base, byteCount, &states) == 0 else { throw unreadable(path) }
        return Double(states.count(where: { $0 & 1 == 1 })) / Double(states.count)
    }

    private static func readThrough(_ path: String) throws {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        while let piece = try file.read(upToCount: 8 << 20), !piece.isEmpty {}
    }

    private static func unreadable(_ path: String) -> BenchmarkError {
        BenchmarkError("\(path) cannot be examined: \(String(cString: strerror(errno)))")
    }
}
