import CProtocols
import Memory
import Vocabulary

/// Reads single fields of C messages into checked Swift values.
enum FieldReader {
    /// A text of at most `byteCountMax` bytes. protobuf-c ends strings with a zero byte.
    static func string(
        _ text: UnsafePointer<CChar>?, _ field: Field, byteCountMax: Int = MessageLimits.nameByteCountMax
    ) throws(WireError) -> String {
        guard let text else { return "" }
        guard let value = String(validatingCString: text) else { throw field.malformed("not UTF-8") }
        guard value.utf8.count <= byteCountMax else {
            throw field.malformed("\(value.utf8.count) bytes of text; at most \(byteCountMax)")
        }
        return value
    }

    /// A reason for people.
    static func reason(_ text: UnsafePointer<CChar>?, _ field: Field) throws(WireError) -> String {
        try string(text, field, byteCountMax: MessageLimits.reasonByteCountMax)
    }

    static func node(_ text: UnsafePointer<CChar>?, _ field: Field) throws(WireError) -> NodeID {
        let name = try string(text, field)
        guard let node = NodeID(name) else {
            let shown = String(reflecting: String(name.prefix(64)))
            throw field.malformed("\(shown) is no node name; 1 to 64 characters out of a-z A-Z 0-9 . _ - are")
        }
        return node
    }

    static func count(
        _ value: UInt32, in range: ClosedRange<Int>, _ field: Field
    ) throws(WireError) -> Int {
        // Compared before it is converted, so that it holds where Int has 32 bits.
        guard value <= UInt32(Int32.max), range.contains(Int(value)) else {
            throw field.malformed("\(value) is not in \(range.lowerBound)...\(range.upperBound)")
        }
        return Int(value)
    }

    static func listCount(_ value: Int, max: Int, _ field: Field) throws(WireError) -> Int {
        guard (0...max).contains(value) else { throw field.malformed("\(value) elements; at most \(max)") }
        return value
    }

    /// An element of a list of messages; protobuf-c leaves none out.
    static func element<Message>(
        _ list: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?, _ index: Int, _ field: Field
    ) throws(WireError) -> UnsafePointer<Message> {
        guard let element = list?[index] else { throw field.malformed("missing") }
        return UnsafePointer(element)
    }

    static func required<Message>(
        _ message: UnsafeMutablePointer<Message>?, _ field: Field
    ) throws(WireError) -> UnsafePointer<Message> {
        guard let message else { throw field.malformed("missing") }
        return UnsafePointer(message)
    }

    static func token(_ value: UInt32, _ field: Field) throws(WireError) -> TokenID {
        guard let token = TokenID(exactly: value) else { throw field.malformed("token \(value) is above 2^31 - 1") }
        return token
    }

    static func tokens(
        _ numbers: UnsafeMutablePointer<UInt32>?, _ count: Int, max: Int, _ field: Field
    ) throws(WireError) -> [TokenID] {
        let count = try listCount(count, max: max, field)
        guard let numbers, count > 0 else { return [] }
        // All are checked by one look at the union of their bits.
        var union: UInt32 = 0
        let tokens = [TokenID](unsafeUninitializedCapacity: count) { tokens, initializedCount in
            for index in 0..<count {
                union |= numbers[index]
                tokens[index] = TokenID(bitPattern: numbers[index])
            }
            initializedCount = count
        }
        guard union <= UInt32(Int32.max) else { throw field.malformed("a token above 2^31 - 1") }
        return tokens
    }

    static func finite(_ value: Float, _ field: Field) throws(WireError) -> Float {
        guard value.isFinite else { throw field.malformed("\(value) is not a number") }
        return value
    }

    static func rate(_ value: Double, _ field: Field) throws(WireError) -> Double {
        guard value.isFinite, value >= 0 else { throw field.malformed("\(value) is not a rate") }
        return value
    }

    /// For messages without a bulk part.
    static func refuseBulk(_ bulk: BufferSlice?, _ name: StaticString) throws(WireError) {
        if let bulk {
            throw WireError(.malformedBulk, "\(name): \(bulk.byteCount) bytes of bulk; this message has none")
        }
    }
}

extension UInt32 {
    /// A count for the wire.
    init(_ value: Int, _ field: Field) throws(WireError) {
        guard let number = UInt32(exactly: value) else {
            throw field.unencodable("\(value) is not in 0...\(UInt32.max)")
        }
        self = number
    }
}
