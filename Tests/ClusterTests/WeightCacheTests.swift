import Foundation
import Testing

/// Real processes that share a folder of packed weights.
@Suite(.serialized, .enabled(if: LocalCluster.isPossible, "set SHARDLINE_BIN and SHARDLINE_MODEL, or run tools/test"))
struct WeightCacheTests {
    private let folder = FileManager.default.temporaryDirectory.appending(path: "shardline-\(UUID().uuidString)")
    private var cache: String { folder.appending(path: "cache").path }
    private var logFile: URL { folder.appending(path: "log") }

    private struct Run {
        var answer: String
        var log: String
        /// Of each node's weights, those that came from the cache.
        var cachedMebibytes: [Int]
    }

    /// How long writers may take: they only get what time others leave, and wait for the disk after each file.
    private static let writingTime = Duration.seconds(180)

    /// Starts a cluster, asks it, and stops it when `isDone` is true of its log.
    private func run(
        nodeCount: Int = 2, prelude: String = ":", kills: Bool = false, until isDone: (String) -> Bool = { _ in true }
    ) async throws -> Run {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data().write(to: logFile)
        let output = try FileHandle(forWritingTo: logFile)
        let cluster = try LocalCluster(
            nodeCount: nodeCount, arguments: ["--weight-cache", cache], logLevel: "debug", prelude: prelude, log: output
        )
        if kills {
            for node in cluster.nodeProcessIDs { kill(node, SIGKILL) }
            kill(cluster.process.processIdentifier, SIGKILL)
            cluster.process.waitUntilExit()
            return Run(answer: "", log: "", cachedMebibytes: [])
        }
        let answer = try await cluster.complete("The capital of France is", tokenCount: 12)
        let end = ContinuousClock.now + Self.writingTime
        func log() throws -> String { try String(contentsOf: logFile, encoding: .utf8) }
        while try !isDone(log()), ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(100)) }
        let isOver = isDone(try log())
        #expect(isOver, "the log never said so")
        #expect(cluster.stop() == 0)
        // Only now have all processes said all they had to say.
        let text = try log()
        let cached = text.matches(of: /, (\d+) MiB of them from the cache/).compactMap { Int($0.output.1) }
        return Run(answer: answer, log: text, cachedMebibytes: cached)
    }

    private var files: [String] {
        (FileManager.default.enumerator(atPath: cache)?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix(".packed") || $0.hasSuffix(".tmp") }.sorted()
    }

    /// One matrix of each layer, and that of the embedding. The folder says so and not the log: the embedding is the
    /// head too, so two nodes may store it, and one of them may still be writing.
    private func isStored(_ log: String) -> Bool {
        let files = files
        return files.count == Self.fileCount && files.allSatisfy { $0.hasSuffix(".packed") }
    }

    private static let fileCount = 30 * 7 + 1
    /// Of the embedding, packed.
    private static let embeddingMebibytesMax = 32

    private func remove() { try? FileManager.default.removeItem(at: folder) }

    @Test func nodesShareAFolderFromStartToStart() async throws {
        defer { remove() }
        let first = try await run(until: isStored)
        #expect(first.answer.contains("Paris"))
        // Whoever loads last may find the embedding, which both need, stored by the other already.
        #expect(first.cachedMebibytes.count == 2 && first.cachedMebibytes.contains(0))
        #expect(first.cachedMebibytes.allSatisfy { $0 <= Self.embeddingMebibytesMax })
        #expect(files.count == Self.fileCount)
        #expect(files.allSatisfy { $0.hasSuffix(".packed") })
        // Other stages of the same layers.
        let second = try await run(nodeCount: 3)
        #expect(second.answer == first.answer)
        #expect(second.cachedMebibytes.count == 3 && second.cachedMebibytes.allSatisfy { $0 > 10 })
        #expect(!second.log.contains("packing the tensor anew"))

        // One file is damaged, one is cut short, one is of another tensor.
        let victims = [files[0], files[100], files[200]]
        var data = try Data(contentsOf: URL(fileURLWithPath: "\(cache)/\(victims[0])"))
        data[data.count / 2] ^= 1
        try data.write(to: URL(fileURLWithPath: "\(cache)/\(victims[0])"))
        #expect(truncate("\(cache)/\(victims[1])", 5000) == 0)
        try FileManager.default.removeItem(atPath: "\(cache)/\(victims[2])")
        try FileManager.default.copyItem(atPath: "\(cache)/\(files[50])", toPath: "\(cache)/\(victims[2])")
        let third = try await run { $0.matches(of: /stored \d+ KiB/).count >= 3 }
        #expect(third.answer == first.answer)
        for victim in victims {
            let warned = third.log.split(separator: "\n").contains { $0.contains("WARN") && $0.contains(victim) }
            #expect(warned, "\(victim) is not named")
        }
        let fourth = try await run()
        #expect(fourth.answer == first.answer)
        #expect(!fourth.log.contains("packing the tensor anew"))
    }

    @Test func aKilledNodeLeavesNothingThatIsUsed() async throws {
        defer { remove() }
        _ = try await run(kills: true)
        let first = try await run { log in
            files.filter { $0.hasSuffix(".packed") }.count == Self.fileCount
        }
        #expect(first.answer.contains("Paris"))
        #expect(!first.log.contains("packing the tensor anew"))
        let second = try await run()
        #expect(second.answer == first.answer)
        #expect(second.cachedMebibytes.allSatisfy { $0 > 10 })
    }

    /// Writing beyond the limit gives an error as on a full disk, and a signal that must not end the node.
    @Test func aNodeOutlivesALimitOnFiles() async throws {
        defer { remove() }
        // In blocks of 512 bytes: less than the embedding and the feed-forward matrices take.
        let run = try await run(prelude: "ulimit -f 600") { $0.contains("packed weights are not kept in") }
        #expect(run.answer.contains("Paris"))
        #expect(run.log.contains("File too large"))
        #expect(files.allSatisfy { $0.hasSuffix(".packed") }, "a part of a file was left")
    }
}
