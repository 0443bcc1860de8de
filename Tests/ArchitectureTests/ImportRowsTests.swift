import Foundation
import Testing

/// A target imports only targets of lower rows (docs/architecture.md).
@Suite struct ImportRowsTests {
    private static let rows: [String: Int] = [
        "shardline": 7, "shardline-node": 7, "shardline-load": 7, "Gateway": 6, "Cluster": 5, "Orchestration": 4,
        "Inference": 4, "Models": 3, "Transport": 3, "LoadTest": 3, "Tensors": 2, "Wire": 2, "ConfigurationFile": 2,
        "OpenAIClient": 2, "Vocabulary": 1, "Memory": 1, "Telemetry": 1, "CKernels": 0, "CProtocols": 0, "CPlatform": 0,
    ]

    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../Sources").standardizedFileURL

    private static func swiftFiles() throws -> [(target: String, path: String, text: String)] {
        let names = try #require(FileManager.default.enumerator(atPath: sources.path)).compactMap { $0 as? String }
        return try names.filter { $0.hasSuffix(".swift") }.map { name in
            let text = try String(contentsOf: sources.appendingPathComponent(name), encoding: .utf8)
            return (String(name.prefix { $0 != "/" }), name, text)
        }
    }

    @Test func everyTargetHasARow() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path)
        for folder in folders { #expect(Self.rows[folder] != nil, "Sources/\(folder) has no row") }
    }

    @Test func importsPointDownwards() throws {
        let files = try Self.swiftFiles()
        #expect(files.count > 50)
        for file in files {
            let row = try #require(Self.rows[file.target], "\(file.target) has no row")
            for line in file.text.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard let keyword = words.firstIndex(of: "import"), keyword <= 2, words.count > keyword + 1,
                    words[..<keyword].allSatisfy({ $0 == "public" || $0 == "package" || $0.hasPrefix("@") })
                else { continue }
                guard let imported = Self.rows[String(words[words.count - 1])] else { continue }
                #expect(imported < row, "\(file.path): '\(line)' points from row \(row) to row \(imported)")
                #expect(row < 7 || imported > 0, "\(file.path): a program imports '\(line)'")
            }
        }
    }

    @Test func filesAndLinesStayShort() throws {
        for file in try Self.swiftFiles() {
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= 500, "\(file.path) has \(lines.count) lines")
            for (number, line) in lines.enumerated() where line.count > 120 {
                Issue.record("\(file.path):\(number + 1) has \(line.count) columns")
            }
        }
    }
}
