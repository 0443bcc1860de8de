import Foundation
import FoundationNetworking
import Testing

/// Real processes: two models on two nodes, one of them in two replicas.
@Suite(.serialized, .enabled(if: LocalCluster.isPossible, "set SHARDLINE_BIN and SHARDLINE_MODEL, or run tools/test"))
struct SeveralPipelinesTests {
    private struct Pipeline: Equatable {
        var model: String
        var replica: Int
        var state: String
        var nodes: [String]
    }

    private static let prompt = "The capital of France is"

    private func cluster(gatewayPort: Int) throws -> TestCluster {
        let cluster = try TestCluster()
        let model = LocalCluster.model ?? ""
        let yaml = """
            coordinator: {port: \(cluster.port), minimum_nodes: 2, data_directory: coordinator}
            gateway: {port: \(gatewayPort)}
            models:
              - {name: twice, path: \(model), replicas: 2, context_length: 512, max_num_seqs: 2, step_rows: 16}
              - {name: once, path: \(model), context_length: 256}
            nodes: [{name: x}, {name: y}]

            """
        try Data(yaml.utf8).write(to: cluster.file("cluster.yaml"))
        return cluster
    }

    private func pipelines(_ cluster: TestCluster) throws -> [Pipeline] {
        let output = try cluster.run([
            "topology", "--json", "--coordinator", "127.0.0.1:\(cluster.port)", "--data-directory", "coordinator",
        ])
        let json = try JSONSerialization.jsonObject(with: Data(output.text.utf8)) as? [String: Any]
        return (json?["pipelines"] as? [[String: Any]] ?? []).map { pipeline in
            Pipeline(
                model: pipeline["model"] as? String ?? "", replica: pipeline["replica"] as? Int ?? 0,
                state: pipeline["state"] as? String ?? "",
                nodes: (pipeline["stages"] as? [[String: Any]] ?? []).compactMap { $0["node"] as? String })
        }
    }

    private func waitFor(
        _ cluster: TestCluster, _ isReached: ([Pipeline]) -> Bool
    ) throws -> [Pipeline] {
        var seen: [Pipeline] = []
        for _ in 0..<600 {
            seen = try pipelines(cluster)
            if isReached(seen) { return seen }
            Thread.sleep(forTimeInterval: 0.2)
        }
        Issue.record("the pipelines stay \(seen)")
        return seen
    }

    /// The gateway may come up after the pipelines.
    private static func waitForHealth(port: Int) async throws {
        let url = try #require(URL(string: "http://127.0.0.1:\(port)/health"))
        for _ in 0..<600 {
            let reply = try? await URLSession.shared.data(from: url)
            if (reply?.1 as? HTTPURLResponse)?.statusCode == 200 { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("the gateway does not come up")
    }

    /// Text and log-probabilities of a greedy completion, or the error's text.
    private static func complete(_ model: String, port: Int) async throws -> String {
        var request = URLRequest(
            url: try #require(URL(string: "http://127.0.0.1:\(port)/v1/completions")), timeoutInterval: 120)
        request.httpMethod = "POST"
        request.httpBody = try JSONSerialization.data(withJSONObject: [
            "model": model, "prompt": Self.prompt, "max_tokens": 16, "temperature": 0, "logprobs": 1,
            "ignore_eos": true,
        ])
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        let (data, response) = try await URLSession.shared.data(for: request)
        let json = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        guard let choice = (json?["choices"] as? [[String: Any]])?.first else {
            return "\((response as? HTTPURLResponse)?.statusCode ?? 0) \(String(decoding: data, as: UTF8.self))"
        }
        let scores = (choice["logprobs"] as? [String: Any])?["content"] as? [[String: Any]] ?? []
        return "\(choice["text"] as? String ?? "") \(scores.compactMap { $0["logprob"] as? Double })"
    }

    @Test func modelsAndReplicasAnswerByName() async throws {
        let port = Int.random(in: 30_000..<32_000)
        let cluster = try cluster(gatewayPort: port)
        try cluster.startCoordinator()
        let arguments = ["--model", LocalCluster.model ?? "", "--memory", "1GiB"]
        var nodes: [RunningProgram] = []
        for name in ["x", "y"] {
            let token = try cluster.token()
            nodes.append(try cluster.startNode(name, arguments, environment: ["SHARDLINE_JOIN_TOKEN": token]))
        }
        let formed = try waitFor(cluster) { $0.count == 3 && $0.allSatisfy { $0.state == "running" } }
        #expect(formed.map(\.model) == ["twice", "twice", "once"] && formed.map(\.replica) == [1, 2, 1])
        #expect(Set(formed.prefix(2).map(\.nodes)) == [["x"], ["y"]])

        try await Self.waitForHealth(port: port)
        // More at once than one replica runs, and the same tokens whoever computes them.
        let answers = try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<6 {
                group.addTask { try await Self.complete(index < 4 ? "twice" : "once", port: port) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.first?.contains("Paris") == true && Set(answers).count == 1, "\(answers)")
        let unknown = try await Self.complete("thrice", port: port)
        #expect(unknown.hasPrefix("404") && unknown.contains("'twice', 'once'"), "\(unknown)")
        let metrics = try String(
            contentsOf: #require(URL(string: "http://127.0.0.1:\(port)/metrics")), encoding: .utf8)
        #expect(metrics.contains("shardline_generation_tokens_total{model_name=\"twice\"} 64"), "\(metrics)")
        #expect(metrics.contains("shardline_generation_tokens_total{model_name=\"once\"} 32"), "\(metrics)")
        #expect(metrics.contains("shardline_num_requests_running{model_name=\"twice\",replica=\"2\"} "), "\(metrics)")

        // The loss of a node stops what runs on it, and nothing else.
        nodes[1].kill()
        let left = try waitFor(cluster) { $0.contains { $0.model == "twice" && $0.state != "running" } }
        #expect(left.first { $0.nodes == ["x"] }?.state == "running", "\(left)")
        for _ in 0..<3 { #expect(try await Self.complete("twice", port: port) == answers.first) }
    }
}
