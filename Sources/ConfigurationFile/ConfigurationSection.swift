import Yams

/// A mapping whose keys are all known.
struct ConfigurationSection {
    let owner: ConfigurationValue
    private var values: [String: ConfigurationValue] = [:]

    init(
        _ mapping: Node.Mapping, of owner: ConfigurationValue, knownKeys: [String]
    ) throws(ConfigurationError) {
        self.owner = owner
        for (keyNode, valueNode) in mapping {
            let keyValue = ConfigurationValue(node: keyNode, path: owner.path, keyPath: owner.keyPath)
            guard case .scalar(let scalar) = keyNode else {
                throw keyValue.error("a key must be a word, got \(keyValue.kind)")
            }
            guard knownKeys.contains(scalar.string) else {
                throw keyValue.error(Self.unknown(scalar.string, of: owner.keyPath, knownKeys: knownKeys))
            }
            let keyPath = owner.keyPath.isEmpty ? scalar.string : "\(owner.keyPath).\(scalar.string)"
            values[scalar.string] = ConfigurationValue(node: valueNode, path: owner.path, keyPath: keyPath)
        }
    }

    /// Nil when the key is absent; a key without a value is an error, which the value's own check reports.
    subscript(key: String) -> ConfigurationValue? { values[key] }

    func required(_ key: String, example: String) throws(ConfigurationError) -> ConfigurationValue {
        guard let value = values[key] else {
            throw owner.error("needs the key '\(key)', for example \(key): \(example)")
        }
        return value
    }

    func optionalText(_ key: String) throws(ConfigurationError) -> String? {
        guard let value = values[key] else { return nil }
        return try value.text()
    }

    func optionalInteger(
        _ key: String, in range: ClosedRange<Int>, unit: String = ""
    ) throws(ConfigurationError) -> Int? {
        guard let value = values[key] else { return nil }
        return try value.integer(in: range, unit: unit)
    }

    func optionalBoolean(_ key: String) throws(ConfigurationError) -> Bool? {
        guard let value = values[key] else { return nil }
        return try value.boolean()
    }

    /// The section called `key`; nil when it is absent or has nothing in it (all its lines are comments).
    func optionalSection(_ key: String, knownKeys: [String]) throws(ConfigurationError) -> ConfigurationSection? {
        guard let value = values[key], !value.isNull else { return nil }
        return try value.section(knownKeys: knownKeys)
    }

    private static func unknown(_ key: String, of keyPath: String, knownKeys: [String]) -> String {
        let place = keyPath.isEmpty ? "at the top level" : "in \(keyPath)"
        let known =
            Spelling.nearest(to: key, in: knownKeys).map { "did you mean '\($0)'?" }
            ?? "known: \(knownKeys.joined(separator: ", "))"
        return "unknown key '\(ConfigurationValue.shortened(key))' \(place) (\(known))"
    }
}
