import Foundation

/// System calls of both processes, counted by strace while something runs.
enum SystemCallCount {
    typealias Counts = [String: Double]

    private static let roundTripCount = 2000

    static func perRoundTrip(of path: any EchoPath, other: Int32) async throws -> Counts {
        _ = try await path.run(count: 100)
        let file = FileManager.default.temporaryDirectory.appending(path: "shardline-strace-\(getpid())")
        defer { try? FileManager.default.removeItem(at: file) }
        let strace = try start(["strace", "-f", "-c", "-o", file.path, "-p", "\(getpid())", "-p", "\(other)"])
        try await Task.sleep(for: .seconds(1))
        _ = try await path.run(count: roundTripCount)
        kill(strace, SIGINT)
        try await BlockingWork.run {
            var status: Int32 = 0
            while waitpid(strace, &status, 0) < 0, errno == EINTR {}
        }
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

    /// Threads of this process may block signals, which Foundation's processes inherit: strace would never end.
    private static func start(_ words: [String]) throws -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0)
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let result = posix_spawnp(&process, words[0], &files, &attributes, &arguments, environ)
        guard result == 0 else {
            throw WireBenchmarkError("\(words[0]) cannot be started: install it to count system calls")
        }
        return process
    }
}
