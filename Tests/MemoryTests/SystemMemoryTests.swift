import Foundation
import Memory
import Testing

@Suite struct SystemMemoryTests {
    @Test func theRealMachine() {
        #expect(NumaTopology.nodeCount >= 1)
        #expect(NumaTopology.totalMemoryBytes > 64 << 20)
        #expect(NumaTopology.availableMemoryBytes <= NumaTopology.totalMemoryBytes)
        let cpus = NumaTopology.cpus
        #expect(!cpus.isEmpty)
        for cpu in cpus { #expect(NumaTopology.node(ofCPU: cpu) != nil) }
        #expect(NumaTopology.nodes.flatMap { NumaTopology.cpus(ofNode: $0) }.sorted() == cpus)
        #expect(NumaTopology.node(ofCPU: -1) == nil)
        #expect(NumaTopology.node(ofCPU: 1 << 30) == nil)
        #expect(NumaTopology.cpus(ofNode: 4096) == [])
    }

    @Test func noControlGroup() throws {
        let memory = try read(["/proc/meminfo": "MemTotal: 8000 kB\nMemFree: 100 kB\nMemAvailable: 5000 kB\n"])
        #expect(memory == SystemMemory(totalBytes: 8000 << 10, availableBytes: 5000 << 10))
    }

    @Test func versionTwoTakesTheTightestLimitAbove() throws {
        let memory = try read([
            "/proc/meminfo": "MemTotal: 8000 kB\nMemAvailable: 5000 kB\n",
            "/proc/self/cgroup": "0::/a/b\n",
            "/sys/fs/cgroup/a/b/memory.max": "max\n",
            "/sys/fs/cgroup/a/memory.max": "1000000\n",
            "/sys/fs/cgroup/a/memory.current": "700000\n",
            "/sys/fs/cgroup/a/memory.stat": "anon 500000\ninactive_file 100000\n",
        ])
        #expect(memory == SystemMemory(totalBytes: 1_000_000, availableBytes: 400_000))
    }

    @Test func versionOne() throws {
        let memory = try read([
            "/proc/meminfo": "MemTotal: 8000 kB\nMemAvailable: 5000 kB\n",
            "/proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/gone\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000\n",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes": "2500000\n",
            "/sys/fs/cgroup/memory/memory.stat": "total_inactive_file 600000\n",
        ])
        #expect(memory == SystemMemory(totalBytes: 2_000_000, availableBytes: 100_000))
    }

    /// Reads a made-up system from a temporary folder.
    private func read(_ files: [String: String]) throws -> SystemMemory {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: root) }
        for (path, text) in files {
            let file = root.appendingPathComponent(path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        return SystemMemory.read(root: root.path)
    }
}
