import Foundation
import Synchronization

/// Samples what the process has in memory until it is stopped.
final class MemoryWatch: Sendable {
    /// Bytes of a process in memory.
    struct Resident: Sendable {
        var anonymous = 0
        /// Of files that are mapped: the model's, and the program's own.
        var file = 0

        var total: Int { anonymous + file }
    }

    private let largest = Mutex(Resident())
    private let isOver = Atomic<Bool>(false)

    private static let intervalMicroseconds: UInt32 = 1000

    /// The sample with the largest total that was taken while `body` ran.
    static func peak(during body: () throws -> Void) rethrows -> Resident {
        let watch = MemoryWatch()
        let thread = Thread {
            while !watch.isOver.load(ordering: .relaxed) {
                watch.sample()
                usleep(intervalMicroseconds)
            }
        }
        thread.start()
        defer { watch.isOver.store(true, ordering: .relaxed) }
        try body()
        watch.sample()
        return watch.largest.withLock { $0 }
    }

    private func sample() {
        let resident = Self.resident()
        largest.withLock { if resident.total > $0.total { $0 = resident } }
    }

    /// RssAnon and RssFile of this process.
    static func resident() -> Resident {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return Resident() }
        func bytes(_ key: String) -> Int {
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return 0 }
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
            return (kibibytes ?? 0) << 10
        }
        return Resident(anonymous: bytes("RssAnon:"), file: bytes("RssFile:"))
    }
}
