import Yams

/// One value of the document with the way to it, so that every complaint can say where and what.
struct ConfigurationValue {
    let node: Node
    let path: String
    let keyPath: String

    func error(_ message: String) -> ConfigurationError {
        ConfigurationError(
            path: path, line: node.mark?.line, column: node.mark?.column, keyPath: keyPath, message: message)
    }

    /// What the value is, in words for errors.
    var kind: String {
        switch node {
        case .mapping: return "a mapping"
        case .sequence: return "a list"
        case .alias: return "an alias"
        case .scalar(let scalar):
            if isNull { return "nothing" }
            guard scalar.style == .plain else { return "text" }
            if Self.looksLikeNumber(scalar.string) { return "the number \(Self.shortened(scalar.string))" }
            if Self.boolean(scalar.string) != nil { return "\(scalar.string)" }
            return "the text '\(Self.shortened(scalar.string))'"
        }
    }

    var isNull: Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    var isList: Bool { if case .sequence = node { true } else { false } }

    /// The text of a scalar as it is written, whatever its type.
    var scalarText: String? { if case .scalar(let scalar) = node { scalar.string } else { nil } }

    /// The value under this one whose key path is `keyPath`, if there is one.
    func descendant(_ wanted: String) -> ConfigurationValue? {
        guard keyPath != wanted else { return self }
        switch node {
        case .mapping(let mapping):
            for (keyNode, value) in mapping {
                guard case .scalar(let key) = keyNode else { continue }
                let path = keyPath.isEmpty ? key.string : "\(keyPath).\(key.string)"
                guard wanted == path || wanted.hasPrefix(path + ".") || wanted.hasPrefix(path + "[") else { continue }
                return ConfigurationValue(node: value, path: self.path, keyPath: path).descendant(wanted)
            }
        case .sequence(let sequence):
            for (index, value) in sequence.enumerated() where wanted.hasPrefix("\(keyPath)[\(index)]") {
                return ConfigurationValue(node: value, path: path, keyPath: "\(keyPath)[\(index)]").descendant(wanted)
            }
        default: break
        }
        return nil
    }

    func section(knownKeys: [String]) throws(ConfigurationError) -> ConfigurationSection {
        try checkTag()
        guard case .mapping(let mapping) = node else {
            throw error("expected a mapping (key: value lines), got \(kind)")
        }
        return try ConfigurationSection(mapping, of: self, knownKeys: knownKeys)
    }

    func text() throws(ConfigurationError) -> String {
        try checkTag()
        guard case .scalar(let scalar) = node, !isNull else { throw error("expected text, got \(kind)") }
        if scalar.style == .plain, Self.looksLikeNumber(scalar.string) || Self.boolean(scalar.string) != nil {
            throw error("expected text, got \(kind); if it is meant, put it in quotes: \"\(scalar.string)\"")
        }
        guard !scalar.string.isEmpty else { throw error("is empty") }
        guard !scalar.string.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw error("has a line break or control character in it; write it on one line")
        }
        return scalar.string
    }

    func integer(in range: ClosedRange<Int>, unit: String = "") throws(ConfigurationError) -> Int {
        try checkTag()
        let wanted = "a whole number from \(range.lowerBound) to \(range.upperBound)\(unit.isEmpty ? "" : " " + unit)"
        guard case .scalar(let scalar) = node, scalar.style == .plain, Self.looksLikeNumber(scalar.string) else {
            throw error("expected \(wanted), got \(kind)")
        }
        guard let value = Int(scalar.string), range.contains(value) else {
            throw error("expected \(wanted), got \(Self.shortened(scalar.string))")
        }
        return value
    }

    func boolean() throws(ConfigurationError) -> Bool {
        try checkTag()
        guard case .scalar(let scalar) = node, scalar.style == .plain, let value = Self.boolean(scalar.string) else {
            throw error("expected true or false, got \(kind)")
        }
        return value
    }

    func list() throws(ConfigurationError) -> [ConfigurationValue] {
        try checkTag()
        guard case .sequence(let sequence) = node else { throw error("expected a list, got \(kind)") }
        return sequence.enumerated().map { index, node in
            ConfigurationValue(node: node, path: path, keyPath: "\(keyPath)[\(index)]")
        }
    }

    /// A count of bytes: a plain number, or a text with a unit such as "8GiB".
    func byteCount(atLeast minimum: UInt64) throws(ConfigurationError) -> UInt64 {
        try checkTag()
        guard case .scalar(let scalar) = node, let value = ByteSize.parse(scalar.string) else {
            throw error("expected a size such as \"8GiB\" or \"512MiB\" (or a count of bytes), got \(kind)")
        }
        guard value >= minimum else { throw error("is too small: at least \(ByteSize.text(minimum))") }
        return value
    }

    private func checkTag() throws(ConfigurationError) {
        let standard = ["tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"]
        guard standard.contains(node.tag.description) else {
            throw error("YAML tags (\(Self.shortened(node.tag.description))) are not supported; remove it")
        }
    }

    private static func boolean(_ text: String) -> Bool? {
        switch text {
        case "true", "True", "TRUE": true
        case "false", "False", "FALSE": false
        default: nil
        }
    }

    private static func looksLikeNumber(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return false }
        let isDigit = first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")
        return (isDigit || text.first == "-" || text.first == "+" || text.first == ".")
            && (Int(text) != nil || Double(text) != nil)
    }

    static func shortened(_ text: String) -> String {
        let printable = String(
            String.UnicodeScalarView(text.unicodeScalars.prefix(61).map { $0.value < 0x20 ? " " : $0 }))
        return printable.unicodeScalars.count > 60 ? printable.prefix(57) + "..." : printable
    }
}
