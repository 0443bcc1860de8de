import Foundation
import Yams

/// Reads YAML text into a tree of nodes. The text may come from anywhere: its size is bounded, nesting too (by the
/// parser, at 1000 levels), and aliases, which can make a small text a huge tree, are refused before parsing.
enum ConfigurationDocument {
    static let byteCountMax = 1 << 20

    static func read(path: String) throws(ConfigurationError) -> String {
        func failure(_ message: String) -> ConfigurationError { ConfigurationError(path: path, message: message) }
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw failure("no such file; give the path of a cluster configuration")
        }
        guard !isDirectory.boolValue else { throw failure("this is a folder, not a configuration file") }
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw failure("cannot be opened for reading; check its permissions")
        }
        defer { try? file.close() }
        let data: Data
        do {
            data = try file.read(upToCount: byteCountMax + 1) ?? Data()
        } catch {
            throw failure("cannot be read: \(error.localizedDescription)")
        }
        try checkSize(data.count, path: path)
        guard let text = String(validating: data, as: UTF8.self) else {
            throw failure("is not UTF-8 text; is it really a YAML file?")
        }
        return text
    }

    /// The root of the one document in `yaml`; nil when there is none.
    static func parse(yaml: String, path: String) throws(ConfigurationError) -> Node? {
        try checkSize(yaml.utf8.count, path: path)
        try checkAliases(yaml, path: path)
        do {
            return try Yams.compose(yaml: yaml, .basic, .default, .utf8)
        } catch let error as YamlError {
            throw explain(error, yaml: yaml, path: path)
        } catch {
            throw ConfigurationError(path: path, message: "cannot be parsed as YAML: \(error)")
        }
    }

    private static func checkSize(_ byteCount: Int, path: String) throws(ConfigurationError) {
        guard byteCount <= byteCountMax else {
            throw ConfigurationError(
                path: path, message: "is larger than 1 MiB; a cluster configuration has a few kilobytes")
        }
    }

    /// An alias needs an anchor of the same name: a text in which no `&name` meets a `*name` has none. This looks
    /// at comments and quoted texts too, because a check that tried to skip them could be led astray.
    private static func checkAliases(_ yaml: String, path: String) throws(ConfigurationError) {
        var anchors: Set<[UInt8]> = []
        var aliases: [(name: [UInt8], line: Int)] = []
        var line = 1
        let bytes = Array(yaml.utf8)
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "\n") { line += 1 }
            guard byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") else { continue }
            let name = Array(bytes[(index + 1)...].prefix(while: isAnchorByte))
            guard !name.isEmpty else { continue }
            if byte == UInt8(ascii: "&") {
                anchors.insert(name)
            } else {
                aliases.append((name, line))
            }
        }
        guard let alias = aliases.first(where: { anchors.contains($0.name) }) else { return }
        let name = String(decoding: alias.name, as: UTF8.self)
        throw ConfigurationError(
            path: path, line: alias.line,
            message: "YAML anchors and aliases (&\(name) and *\(name)) are not supported; write the values out")
    }

    private static func isAnchorByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func explain(_ error: YamlError, yaml: String, path: String) -> ConfigurationError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let whole = context.map { "\(problem) (\($0.text), line \($0.mark.line))" } ?? problem
            return ConfigurationError(
                path: path, line: mark.line, column: mark.column,
                message: "not well-formed YAML: \(whole); check indentation, colons and quotes here")
        case .reader(let problem, let offset, _, _):
            let line = offset.map { yaml.prefix($0).count(where: \.isNewline) + 1 }
            return ConfigurationError(path: path, line: line, message: "not well-formed YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "'\($0)'" }.joined(separator: ", ")
            return ConfigurationError(
                path: path, line: context.mark.line, column: context.mark.column,
                message: "key \(names) stands more than once in the same place; keep one")
        default:
            return ConfigurationError(path: path, message: "cannot be parsed as YAML")
        }
    }
}
