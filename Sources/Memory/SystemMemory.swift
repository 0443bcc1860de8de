import Glibc

/// Total and available bytes from `/proc/meminfo` and the limits of control groups, version 1 and 2.
package struct SystemMemory: Hashable, Sendable {
    package var totalBytes: UInt64
    package var availableBytes: UInt64

    package init(totalBytes: UInt64, availableBytes: UInt64) {
        self.totalBytes = totalBytes
        self.availableBytes = availableBytes
    }

    /// `root` stands before every path that is read, for tests; empty is the real system.
    package static func read(root: String = "") -> SystemMemory {
        let machine = fields(text(root + "/proc/meminfo"), separator: ":")
        var memory = SystemMemory(
            totalBytes: (machine["MemTotal"] ?? 0) << 10,
            availableBytes: (machine["MemAvailable"] ?? machine["MemFree"] ?? 0) << 10)
        for group in groups(root: root) {
            guard let limit = number(text(group.folder + group.version.limitFile)) else { continue }
            memory.totalBytes = min(memory.totalBytes, limit)
            let used = number(text(group.folder + group.version.usageFile)) ?? 0
            let statistics = fields(text(group.folder + "/memory.stat"), separator: " ")
            let reclaimable = statistics[group.version.fileCacheField] ?? 0
            let inUse = used - min(used, reclaimable)
            memory.availableBytes = min(memory.availableBytes, limit - min(limit, inUse))
        }
        memory.availableBytes = min(memory.availableBytes, memory.totalBytes)
        return memory
    }

    // MARK: Control groups

    private enum Version {
        case one, two
        var limitFile: String { self == .one ? "/memory.limit_in_bytes" : "/memory.max" }
        var usageFile: String { self == .one ? "/memory.usage_in_bytes" : "/memory.current" }
        var fileCacheField: String { self == .one ? "total_inactive_file" : "inactive_file" }
    }

    /// The process's groups and all groups above them: each may have a limit.
    private static func groups(root: String) -> [(folder: String, version: Version)] {
        var found: [(folder: String, version: Version)] = []
        for line in (text(root + "/proc/self/cgroup") ?? "").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let version: Version
            let mount: String
            if parts[0] == "0", parts[1].isEmpty {
                (version, mount) = (.two, root + "/sys/fs/cgroup")
            } else if parts[1].split(separator: ",").contains("memory") {
                (version, mount) = (.one, root + "/sys/fs/cgroup/memory")
            } else {
                continue
            }
            // In a container the path may be the host's and not exist here; the walk up ends at the mount, which does.
            var names = parts[2].split(separator: "/")
            while true {
                found.append((mount + names.map { "/" + $0 }.joined(), version))
                if names.popLast() == nil { break }
            }
        }
        return found
    }

    // MARK: Files

    /// A small file's text; nil when it cannot be read.
    private static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < 1 << 20 {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0 { return nil }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Nil for "max" and for what is no number.
    private static func number(_ text: String?) -> UInt64? {
        text.flatMap { UInt64($0.filter { !$0.isWhitespace }) }
    }

    /// Lines of a name and a number; a unit behind the number is ignored.
    private static func fields(_ text: String?, separator: Character) -> [String: UInt64] {
        var fields: [String: UInt64] = [:]
        for line in (text ?? "").split(separator: "\n") {
            let parts = line.split(separator: separator, maxSplits: 1)
            guard parts.count == 2, let first = parts[1].split(separator: " ").first, let value = UInt64(first) else {
                continue
            }
            fields[String(parts[0])] = value
        }
        return fields
    }
}
