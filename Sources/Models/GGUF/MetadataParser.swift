/// Parses metadata values and keeps count of what they cost together.
struct MetadataParser {
    /// The numbers that stand for types in the file.
    private enum ValueType: UInt32 {
        case uint8 = 0, int8, uint16, int16, uint32, int32, float32, boolean, string, array, uint64, int64, float64

        /// The fewest bytes that one value takes.
        var byteCountMin: Int {
            switch self {
            case .uint8, .int8, .boolean: 1
            case .uint16, .int16: 2
            case .uint32, .int32, .float32: 4
            case .string, .uint64, .int64, .float64: 8
            case .array: 12
            }
        }
    }

    private var elementCount = 0

    mutating func value(from reader: inout ByteReader, key: String) throws(ModelError) -> MetadataValue {
        let type = try Self.type(from: &reader, key: key)
        switch type {
        case .uint8, .uint16, .uint32, .uint64: return .unsigned(try Self.unsigned(type, from: &reader, key: key))
        case .int8, .int16, .int32, .int64: return .signed(try Self.signed(type, from: &reader, key: key))
        case .float32, .float64: return .floating(try Self.floating(type, from: &reader, key: key))
        case .boolean: return .boolean(try Self.boolean(from: &reader, key: key))
        case .string:
            let bytes = try Self.string(
                from: &reader, byteCountMax: HeaderLimits.stringByteCountMax, what: Self.what(key))
            return .string(String(decoding: bytes, as: UTF8.self))
        case .array: return .array(try array(from: &reader, key: key, depth: 1))
        }
    }

    /// A key or a tensor's name: these must be well-formed UTF-8, for they are looked up.
    static func name(
        from reader: inout ByteReader, byteCountMax: Int, what: @autoclosure () -> String
    ) throws(ModelError) -> String {
        let bytes = try string(from: &reader, byteCountMax: byteCountMax, what: what())
        guard let name = String(validating: bytes, as: UTF8.self) else {
            throw ModelError(.malformed, "\(what()) is not well-formed UTF-8")
        }
        return name
    }

    // MARK: Arrays

    private mutating func array(
        from reader: inout ByteReader, key: String, depth: Int
    ) throws(ModelError) -> MetadataArray {
        guard depth <= HeaderLimits.arrayDepthMax else {
            throw ModelError(
                .unsupported, "\(Self.what(key)) nests arrays deeper than \(HeaderLimits.arrayDepthMax) levels")
        }
        let type = try Self.type(from: &reader, key: key)
        let count = try elementCount(of: type, from: &reader, key: key)
        switch type {
        case .uint8, .uint16, .uint32, .uint64:
            return .unsigned(
                try Self.elements(count) { () throws(ModelError) in
                    try Self.unsigned(type, from: &reader, key: key)
                })
        case .int8, .int16, .int32, .int64:
            return .signed(
                try Self.elements(count) { () throws(ModelError) in
                    try Self.signed(type, from: &reader, key: key)
                })
        case .float32, .float64:
            return .floating(
                try Self.elements(count) { () throws(ModelError) in
                    try Self.floating(type, from: &reader, key: key)
                })
        case .boolean:
            return .booleans(
                try Self.elements(count) { () throws(ModelError) in
                    try Self.boolean(from: &reader, key: key)
                })
        case .string:
            var strings = StringTable()
            strings.reserve(count: count, byteCount: 0)
            for _ in 0..<count {
                strings.append(
                    try Self.string(
                        from: &reader, byteCountMax: HeaderLimits.stringByteCountMax, what: Self.what(key)))
            }
            return .strings(strings)
        case .array:
            return .arrays(
                try Self.elements(count) { () throws(ModelError) in
                    try array(from: &reader, key: key, depth: depth + 1)
                })
        }
    }

    private mutating func elementCount(
        of type: ValueType, from reader: inout ByteReader, key: String
    ) throws(ModelError) -> Int {
        let claimed = try reader.integer(UInt64.self, Self.what(key))
        let room = reader.remaining / type.byteCountMin
        guard let count = Int(exactly: claimed), count <= room else {
            throw ModelError(
                .malformed,
                "\(Self.what(key)) claims \(claimed) elements, but the file has room for \(room) at most; "
                    + "it is truncated or damaged, fetch it again")
        }
        elementCount += count
        guard elementCount <= HeaderLimits.elementCountMax else {
            throw ModelError(
                .unsupported,
                "the metadata holds more than \(HeaderLimits.elementCountMax) array elements, at "
                    + Self.what(key))
        }
        return count
    }

    private static func elements<Element>(
        _ count: Int, _ next: () throws(ModelError) -> Element
    ) throws(ModelError) -> [Element] {
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try next()) }
        return elements
    }

    // MARK: Single values

    private static func type(from reader: inout ByteReader, key: String) throws(ModelError) -> ValueType {
        let number = try reader.integer(UInt32.self, what(key))
        guard let type = ValueType(rawValue: number) else {
            throw ModelError(.malformed, "\(what(key)) has value type \(number); GGUF has types 0 to 12")
        }
        return type
    }

    private static func unsigned(
        _ type: ValueType, from reader: inout ByteReader, key: String
    ) throws(ModelError) -> UInt64 {
        switch type {
        case .uint8: UInt64(try reader.integer(UInt8.self, what(key)))
        case .uint16: UInt64(try reader.integer(UInt16.self, what(key)))
        case .uint32: UInt64(try reader.integer(UInt32.self, what(key)))
        default: try reader.integer(UInt64.self, what(key))
        }
    }

    private static func signed(
        _ type: ValueType, from reader: inout ByteReader, key: String
    ) throws(ModelError) -> Int64 {
        switch type {
        case .int8: Int64(try reader.integer(Int8.self, what(key)))
        case .int16: Int64(try reader.integer(Int16.self, what(key)))
        case .int32: Int64(try reader.integer(Int32.self, what(key)))
        default: try reader.integer(Int64.self, what(key))
        }
    }

    private static func floating(
        _ type: ValueType, from reader: inout ByteReader, key: String
    ) throws(ModelError) -> Double {
        switch type {
        case .float32: Double(Float(bitPattern: try reader.integer(UInt32.self, what(key))))
        default: Double(bitPattern: try reader.integer(UInt64.self, what(key)))
        }
    }

    private static func boolean(from reader: inout ByteReader, key: String) throws(ModelError) -> Bool {
        let byte = try reader.integer(UInt8.self, what(key))
        guard byte <= 1 else { throw ModelError(.malformed, "\(what(key)) is a boolean of value \(byte)") }
        return byte == 1
    }

    private static func string(
        from reader: inout ByteReader, byteCountMax: Int, what: @autoclosure () -> String
    ) throws(ModelError) -> UnsafeRawBufferPointer {
        let claimed = try reader.integer(UInt64.self, what())
        guard let byteCount = Int(exactly: claimed), byteCount <= reader.remaining else {
            throw ModelError(
                .malformed,
                "\(what()) claims a string of \(claimed) bytes, but \(reader.remaining) are left; the file "
                    + "is truncated or damaged, fetch it again")
        }
        guard byteCount <= byteCountMax else {
            throw ModelError(
                .unsupported, "\(what()) is a string of \(byteCount) bytes; at most \(byteCountMax) are read")
        }
        return try reader.take(byteCount, what())
    }

    private static func what(_ key: String) -> String { "metadata key \(ModelError.quote(key))" }
}
