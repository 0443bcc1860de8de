import Foundation

/// System calls of both processes, counted by strace while something runs.
enum SystemCallCount {
    typealias Counts = [String: Double]

    private static let roundTripCount = 2000

    static func perRoundTrip(of path: any EchoPath, other: Int32) async throws -> Counts {
        _ = try await path.run(count: 100)
        let file = FileManager.default.temporaryDirectory.appending(path: "shardline-strace-\(getpid())")
        defer { try? FileManager.default.removeItem(at: file) }
        let strace = Process()
        strace.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        strace.arguments = ["strace", "-f", "-c", "-o", file.path, "-p", "\(getpid())", "-p", "\(other)"]
        strace.standardError = FileHandle.nullDevice
        do { try strace.run() } catch {
            throw WireBenchmarkError("strace cannot be started: \(error); install it to count system calls")
        }
        try await Task.sleep(for: .seconds(1))
        _ = try await path.run(count: roundTripCount)
        strace.interrupt()
        strace.waitUntilExit()
        var counts: Counts = [:]
        // "% time     seconds  usecs/call     calls    errors syscall"
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let share = words.first, Double(share) != nil, words.count >= 5, let calls = Double(words[3]),
                let name = words.last, name != "total"
            else { continue }
            counts[String(name)] = calls / Double(roundTripCount)
        }
        return counts
    }
}
