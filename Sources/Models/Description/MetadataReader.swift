/// Typed, range-checked access to a file's metadata; errors name the key.
struct MetadataReader {
    private let metadata: [String: MetadataValue]
    /// In front of every key: "llama." for architecture llama, or nothing.
    private let prefix: String

    init(_ metadata: [String: MetadataValue], prefix: String = "") {
        self.metadata = metadata
        self.prefix = prefix
    }

    func contains(_ key: String) -> Bool { metadata[prefix + key] != nil }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int {
        guard let value = try integerIfPresent(key, in: range) else { throw missing(key) }
        return value
    }

    func integerIfPresent(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int? {
        guard let value = metadata[prefix + key] else { return nil }
        if case .array = value {
            throw ModelError(
                .unsupported, "\(prefix + key) differs from layer to layer, which is not supported")
        }
        guard let integer = value.integer else { throw wrongKind(key, value, "an integer") }
        guard range.contains(integer) else {
            throw ModelError(
                .malformed, "\(prefix + key) is \(integer); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    func number(_ key: String, in range: ClosedRange<Double>) throws(ModelError) -> Double {
        guard let value = try numberIfPresent(key, in: range) else { throw missing(key) }
        return value
    }

    func numberIfPresent(_ key: String, in range: ClosedRange<Double>) throws(ModelError) -> Double? {
        guard let value = metadata[prefix + key] else { return nil }
        guard let number = value.number else { throw wrongKind(key, value, "a number") }
        guard range.contains(number) else {  // never true of NaN
            throw ModelError(
                .malformed, "\(prefix + key) is \(number); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func string(_ key: String) throws(ModelError) -> String {
        guard let value = try stringIfPresent(key) else { throw missing(key) }
        return value
    }

    func stringIfPresent(_ key: String) throws(ModelError) -> String? {
        guard let value = metadata[prefix + key] else { return nil }
        guard let string = value.string else { throw wrongKind(key, value, "a string") }
        return string
    }

    func booleanIfPresent(_ key: String) throws(ModelError) -> Bool? {
        guard let value = metadata[prefix + key] else { return nil }
        guard let boolean = value.boolean else { throw wrongKind(key, value, "a boolean") }
        return boolean
    }

    func stringsIfPresent(_ key: String) throws(ModelError) -> StringTable? {
        guard let value = metadata[prefix + key] else { return nil }
        if value.array?.count == 0 { return StringTable() }
        guard let strings = value.array?.strings else { throw wrongKind(key, value, "an array of strings") }
        return strings
    }

    func integersIfPresent(_ key: String) throws(ModelError) -> [Int]? {
        guard let value = metadata[prefix + key] else { return nil }
        if value.array?.count == 0 { return [] }
        guard let integers = value.array?.integers else { throw wrongKind(key, value, "an array of integers") }
        return integers
    }

    private func missing(_ key: String) -> ModelError {
        ModelError(.missing, "the file has no metadata key \(prefix + key), which the model needs; convert it again")
    }

    private func wrongKind(_ key: String, _ value: MetadataValue, _ wanted: String) -> ModelError {
        ModelError(.malformed, "\(prefix + key) is \(value.kindName); it must be \(wanted)")
    }
}
