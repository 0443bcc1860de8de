import Foundation
import Models
import Testing
import Vocabulary

/// SmolLM2-135M-Instruct in Q4_1, when the machine has it.
enum RealModel {
    static let missing: Comment = """
        needs SmolLM2: set SHARDLINE_MODEL to SmolLM2-135M-Instruct.Q4_1.gguf, or let tools/demo fetch it
        """

    /// The file's path; nil when it is not there.
    static let path: String? = {
        let environment = ProcessInfo.processInfo.environment
        let cached = (environment["HOME"] ?? "") + "/.cache/shardline/SmolLM2-135M-Instruct.Q4_1.gguf"
        let path = environment["SHARDLINE_MODEL"] ?? cached
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }()

    static var isThere: Bool { path != nil }

    static func open() throws -> ModelFile { try ModelFile(path: try #require(path)) }
}

/// A prompt with its greedy continuation under float32 arithmetic, and the likeliest tokens at each of its positions.
struct Golden: Decodable {
    struct Ranked: Decodable {
        let token: TokenID
        let logprob: Double
        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            token = try values.decode(TokenID.self)
            logprob = try values.decode(Double.self)
        }
    }
    let id: String
    let tokens: [TokenID]
    let continuation: [TokenID]
    let top: [[Ranked]]

    static func read(_ name: String) throws -> [Golden] {
        let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/\(name).jsonl")
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(Golden.self, from: Data($0.utf8))
        }
    }
}
