import Foundation

/// The answers of a run one at a time, as a file of JSON lines: a header, then an answer a line.
public struct ReferenceSet: Hashable, Sendable {
    /// Why a file is none, with the line at fault.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var line: Int
        public var message: String
        public var description: String { "line \(line): \(message)" }
    }

    private struct Header: Codable {
        static let currentVersion = 1
        var version: Int
        private enum CodingKeys: String, CodingKey { case version = "shardline_load_reference" }
    }

    public private(set) var answers: [String: ReferenceAnswer] = [:]

    public init(_ answers: some Sequence<ReferenceAnswer>) {
        for answer in answers { self.answers[answer.request] = answer }
    }

    public init(jsonLines: [UInt8]) throws(Failure) {
        let decoder = JSONDecoder()
        let lines = jsonLines.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard let first = lines.first, let header = try? decoder.decode(Header.self, from: Data(first)) else {
            throw Failure(line: 1, message: "this is no file that --record has written")
        }
        guard header.version == Header.currentVersion else {
            throw Failure(line: 1, message: "version \(header.version) is not known; record the file again")
        }
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            guard let answer = try? decoder.decode(ReferenceAnswer.self, from: Data(line)) else {
                throw Failure(line: index + 1, message: "not an answer of a recorded run; record the file again")
            }
            guard answers.updateValue(answer, forKey: answer.request) == nil else {
                throw Failure(line: index + 1, message: "request \(answer.request) is there twice")
            }
        }
        guard !answers.isEmpty else { throw Failure(line: 2, message: "no answer follows the header") }
    }

    /// The file's text, in the order that `answers` come.
    public static func jsonLines(_ answers: some Sequence<ReferenceAnswer>) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var bytes = Array(try encoder.encode(Header(version: Header.currentVersion)))
        for answer in answers {
            bytes.append(UInt8(ascii: "\n"))
            bytes.append(contentsOf: try encoder.encode(answer))
        }
        return bytes + [UInt8(ascii: "\n")]
    }
}
