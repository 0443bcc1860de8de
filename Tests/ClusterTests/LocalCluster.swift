import Foundation
import FoundationNetworking
import Testing

/// A cluster of real processes, started as a person would with `shardline local`.
///
/// Needs the programs (SHARDLINE_BIN, their folder) and a model (SHARDLINE_MODEL), which `tools/test` provides.
final class LocalCluster {
    struct NotReady: Error, CustomStringConvertible { let description: String }

    let process = Process()
    private(set) var url = ""
    private let output = Pipe()

    static var isPossible: Bool { programFolder != nil && model != nil }
    static var programFolder: String? { ProcessInfo.processInfo.environment["SHARDLINE_BIN"] }
    static var model: String? { ProcessInfo.processInfo.environment["SHARDLINE_MODEL"] }

    /// - Parameters:
    ///   - prelude: commands of a shell that becomes the program, such as limits.
    ///   - log: gets what all its processes write to standard error.
    init(
        nodeCount: Int, arguments: [String] = [], logLevel: String = "error", prelude: String = ":",
        log: FileHandle? = nil
    ) throws {
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments =
            ["-c", "\(prelude); exec \"$0\" \"$@\"", "\(Self.programFolder ?? "")/shardline", "local"]
            + ["--model", Self.model ?? "", "--nodes", "\(nodeCount)", "--threads", "1"]
            + ["--served-model-name", "test", "--log-level", logLevel] + arguments
        if let log { process.standardError = log }
        // Twins of flags are this program's alone: its nodes must not take its port.
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["SHARDLINE_PORT": "\(Int.random(in: 20_000..<30_000))"], uniquingKeysWith: { $1 })
        process.standardOutput = output
        try process.run()
        var text = ""
        while !text.contains("ready: ") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw NotReady(description: "the cluster ended early; it said: \(text)") }
            text += String(decoding: data, as: UTF8.self)
        }
        url = text.split(separator: "\n").compactMap { line in
            line.hasPrefix("ready: ") ? String(line.dropFirst("ready: ".count)) : nil
        }.first ?? ""
    }

    /// The process ids of the nodes, by the program's name and its parent.
    var nodeProcessIDs: [Int32] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.compactMap(Int32.init).filter { id in
            guard let stat = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
                let end = stat.lastIndex(of: ")")
            else { return false }
            let fields = stat[end...].split(separator: " ")
            return fields.count > 2 && Int32(fields[2]) == process.processIdentifier
        }
    }

    func post(_ path: String, _ body: [String: Any]) async throws -> (status: Int, json: [String: Any]) {
        var request = URLRequest(url: try #require(URL(string: url + path)), timeoutInterval: 120)
        request.httpMethod = "POST"
        request.httpBody = try JSONSerialization.data(withJSONObject: body)
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        let (data, response) = try await URLSession.shared.data(for: request)
        let json = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, json ?? [:])
    }

    /// The text of a greedy completion.
    func complete(_ prompt: String, tokenCount: Int, seed: Int? = nil) async throws -> String {
        var body: [String: Any] = [
            "model": "test", "prompt": prompt, "max_tokens": tokenCount, "temperature": seed == nil ? 0 : 0.9,
            "logprobs": 1,
        ]
        body["seed"] = seed
        let (status, json) = try await post("/v1/completions", body)
        let choices = json["choices"] as? [[String: Any]]
        guard let choice = choices?.first else { throw NotReady(description: "status \(status): \(json)") }
        // Log-probabilities too: the same text can hide other numbers.
        let scores = (choice["logprobs"] as? [String: Any])?["content"] as? [[String: Any]] ?? []
        let logprobs = scores.compactMap { $0["logprob"] as? Double }
        return "\(choice["text"] as? String ?? "") \(logprobs)"
    }

    /// The text of a sampled chat answer.
    func chat(_ question: String, seed: Int) async throws -> String {
        let (status, json) = try await post(
            "/v1/chat/completions",
            [
                "model": "test", "messages": [["role": "user", "content": question]], "max_tokens": 24,
                "temperature": 0.9, "top_p": 0.95, "seed": seed, "logprobs": true,
            ])
        guard let choice = (json["choices"] as? [[String: Any]])?.first,
            let text = (choice["message"] as? [String: Any])?["content"] as? String,
            let scores = (choice["logprobs"] as? [String: Any])?["content"] as? [[String: Any]]
        else { throw NotReady(description: "status \(status): \(json)") }
        return "\(text) \(scores.compactMap { $0["logprob"] as? Double })"
    }

    /// One interrupt, as Ctrl-C sends it.
    func stop() -> Int32 {
        process.interrupt()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
