/// The value of one metadata key. The file's integer and float widths are folded into the widest.
public enum MetadataValue: Sendable, Hashable {
    case unsigned(UInt64)
    case signed(Int64)
    case floating(Double)
    case boolean(Bool)
    case string(String)
    case array(MetadataArray)

    /// The value as an integer, when it is one and fits.
    public var integer: Int? {
        switch self {
        case .unsigned(let value): Int(exactly: value)
        case .signed(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value as a number, integer or not.
    public var number: Double? {
        switch self {
        case .floating(let value): value
        case .unsigned(let value): Double(value)
        case .signed(let value): Double(value)
        default: nil
        }
    }

    public var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var array: MetadataArray? { if case .array(let value) = self { value } else { nil } }

    /// For messages: what kind of value this is.
    var kindName: String {
        switch self {
        case .unsigned, .signed: "an integer"
        case .floating: "a float"
        case .boolean: "a boolean"
        case .string: "a string"
        case .array: "an array"
        }
    }
}

/// An array in the metadata: all elements of one type; arrays may hold arrays.
public enum MetadataArray: Sendable, Hashable {
    case unsigned([UInt64])
    case signed([Int64])
    case floating([Double])
    case booleans([Bool])
    case strings(StringTable)
    case arrays([MetadataArray])

    public var count: Int {
        switch self {
        case .unsigned(let values): values.count
        case .signed(let values): values.count
        case .floating(let values): values.count
        case .booleans(let values): values.count
        case .strings(let values): values.count
        case .arrays(let values): values.count
        }
    }

    /// The elements, when they are integers that fit.
    public var integers: [Int]? {
        switch self {
        case .unsigned(let values):
            let fitting = values.compactMap { Int(exactly: $0) }
            return fitting.count == values.count ? fitting : nil
        case .signed(let values): return values.map(Int.init)
        default: return nil
        }
    }

    public var strings: StringTable? { if case .strings(let values) = self { values } else { nil } }
}
