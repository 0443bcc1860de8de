import Foundation
import Testing

@Suite(.serialized, .enabled(if: LocalCluster.isPossible, "set SHARDLINE_BIN and SHARDLINE_MODEL, or run tools/test"))
struct LocalClusterTests {
    @Test func answersAreTheSameWhateverTheSplit() async throws {
        var answers: [String] = []
        for nodeCount in [1, 3] {
            let cluster = try LocalCluster(nodeCount: nodeCount)
            answers.append(try await cluster.complete("The capital of France is", tokenCount: 24))
            answers.append(try await cluster.complete("The capital of France is", tokenCount: 24))
            #expect(cluster.stop() == 0)
        }
        #expect(answers[0].contains("Paris"))
        #expect(Set(answers).count == 1, "\(answers)")
    }

    @Test func sampledStreamsAreTheSameTogetherAndAlone() async throws {
        let cluster = try LocalCluster(nodeCount: 3)
        defer { _ = cluster.stop() }
        var alone: [String] = []
        for seed in 1...8 {
            alone.append(try await cluster.chat("Tell me about the number \(seed).", seed: seed))
        }
        let together = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for seed in 1...8 {
                nonisolated(unsafe) let cluster = cluster
                group.addTask {
                    (seed, try await cluster.chat("Tell me about the number \(seed).", seed: seed))
                }
            }
            var texts = [String](repeating: "", count: 8)
            for try await (seed, text) in group { texts[seed - 1] = text }
            return texts
        }
        #expect(together == alone)
    }

    /// The first signal lets the request in progress end; the second ends everything, nodes too.
    @Test func theSecondSignalEndsAtOnce() async throws {
        let cluster = try LocalCluster(nodeCount: 2)
        let nodes = cluster.nodeProcessIDs
        nonisolated(unsafe) let running = cluster
        async let request: (status: Int, json: [String: Any]) = running.post(
            "/v1/completions",
            ["model": "test", "prompt": "Once", "max_tokens": 4000, "ignore_eos": true, "temperature": 0])
        try await Task.sleep(for: .milliseconds(500))
        cluster.process.interrupt()
        try await Task.sleep(for: .milliseconds(500))
        #expect(cluster.process.isRunning)
        cluster.process.interrupt()
        cluster.process.waitUntilExit()
        #expect(cluster.process.terminationStatus == 1)
        _ = try? await request
        for _ in 0..<100 where nodes.contains(where: { kill($0, 0) == 0 }) {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(nodes.allSatisfy { kill($0, 0) != 0 })
    }

    @Test func metricsCountTokens() async throws {
        let cluster = try LocalCluster(nodeCount: 1)
        defer { _ = cluster.stop() }
        _ = try await cluster.complete("The capital of France is", tokenCount: 7)
        let text = try String(contentsOf: #require(URL(string: cluster.url + "/metrics")), encoding: .utf8)
        #expect(text.contains("shardline_generation_tokens_total{model_name=\"test\"} 7"))
        #expect(text.contains("shardline_prompt_tokens_total{model_name=\"test\"} 5"))
    }

    @Test func noNodeOutlivesAKilledParent() async throws {
        let cluster = try LocalCluster(nodeCount: 3)
        let nodes = cluster.nodeProcessIDs
        #expect(nodes.count == 3)
        kill(cluster.process.processIdentifier, SIGKILL)
        cluster.process.waitUntilExit()
        for _ in 0..<100 where nodes.contains(where: { kill($0, 0) == 0 }) {
            try await Task.sleep(for: .milliseconds(50))
        }
        #expect(nodes.allSatisfy { kill($0, 0) != 0 })
    }

    @Test func aLostNodeEndsRequestsWithAnErrorAndTheClusterGoesOnWhenItReturns() async throws {
        let cluster = try LocalCluster(nodeCount: 2)
        defer { _ = cluster.stop() }
        let before = try await cluster.complete("The capital of France is", tokenCount: 12)
        let victim = try #require(cluster.nodeProcessIDs.first)
        nonisolated(unsafe) let running = cluster
        async let interrupted = running.post(
            "/v1/completions",
            ["model": "test", "prompt": "Once", "max_tokens": 4000, "ignore_eos": true, "temperature": 0])
        try await Task.sleep(for: .milliseconds(500))
        kill(victim, SIGKILL)
        let (status, json) = try await interrupted
        #expect(status >= 500)
        #expect((json["error"] as? [String: Any])?["message"] is String)
        var after: String?
        for _ in 0..<200 {
            after = try? await cluster.complete("The capital of France is", tokenCount: 12)
            if after != nil { break }
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(after == before)
    }
}
