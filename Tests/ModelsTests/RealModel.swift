import Foundation
import Models
import Testing

/// SmolLM2-135M-Instruct, where it is present: named by SHARDLINE_MODEL or kept in the cache folder.
enum RealModel {
    static let fileName = "SmolLM2-135M-Instruct.Q4_1.gguf"

    static let path: String? = {
        let environment = ProcessInfo.processInfo.environment
        let cached = (environment["HOME"] ?? "") + "/.cache/shardline/" + fileName
        let candidates = [environment["SHARDLINE_MODEL"], cached].compactMap { $0 }
        return candidates.first { $0.hasSuffix(fileName) && FileManager.default.fileExists(atPath: $0) }
    }()

    static let skipReason: Comment =
        "needs SmolLM2-135M-Instruct.Q4_1.gguf: set SHARDLINE_MODEL or put it into ~/.cache/shardline"

    static func open() throws -> ModelFile { try ModelFile(path: try #require(path)) }
}
