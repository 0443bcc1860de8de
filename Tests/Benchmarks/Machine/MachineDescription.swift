import Foundation
import Memory
import Tensors

/// What figures were measured on.
struct MachineDescription: Encodable {
    let processor: String
    /// CPUs that this process may run on.
    let cpuCount: Int
    let numaNodeCount: Int
    let instructionSets: [String]
    /// Bytes of the largest cache; nil where the system does not say.
    let sharedCacheByteCount: Int?
    let memoryByteCount: UInt64
    let kernel: String
    let programBuild: String

    init() {
        processor = Self.processorName()
        cpuCount = NumaTopology.cpus.count
        numaNodeCount = NumaTopology.nodeCount
        instructionSets = InstructionSet.available.map(\.rawValue)
        sharedCacheByteCount = Self.largestCache()
        memoryByteCount = NumaTopology.totalMemoryBytes
        kernel = Self.kernelName()
        #if DEBUG
        programBuild = "debug: figures mean nothing"
        #else
        programBuild = "release"
        #endif
    }

    var text: String {
        let cache = sharedCacheByteCount.map { ", \($0 >> 20) MiB shared cache" } ?? ""
        return """
            \(processor), \(cpuCount) CPUs, \(numaNodeCount) NUMA node(s)\(cache), \(memoryByteCount >> 30) GiB memory
            \(kernel), \(programBuild) build; instruction sets: \(instructionSets.joined(separator: ", "))
            """
    }

    /// "model name" on x86; ARM names parts by numbers.
    private static func processorName() -> String {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        for key in ["model name", "Model", "CPU part"] {
            if let line = lines.first(where: { $0.hasPrefix(key) }), let colon = line.firstIndex(of: ":") {
                return line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            }
        }
        return "unknown processor"
    }

    private static func largestCache() -> Int? {
        let folder = "/sys/devices/system/cpu/cpu0/cache"
        let indices = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return indices.compactMap { index -> Int? in
            guard let text = try? String(contentsOfFile: "\(folder)/\(index)/size", encoding: .utf8) else { return nil }
            let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
            guard trimmed.hasSuffix("K"), let kibibytes = Int(trimmed.dropLast()) else { return nil }
            return kibibytes << 10
        }.max()
    }

    private static func kernelName() -> String {
        var name = utsname()
        guard uname(&name) == 0 else { return "unknown kernel" }
        func text<T>(_ field: T) -> String {
            withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return "\(text(name.sysname)) \(text(name.release)) \(text(name.machine))"
    }
}
