import Foundation

/// Reads a JSON object field by field, and turns every mismatch into an error that names the field.
///
/// A field that is null counts as missing; fields that nobody reads are ignored.
struct RequestFields {
    struct Name: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }
    }

    private let container: KeyedDecodingContainer<Name>
    /// How the object's fields are called in messages: "messages[2]." for those of the third message.
    private let prefix: String

    init(_ decoder: any Decoder, prefix: String = "", called name: String = "the body") throws(APIError) {
        do {
            container = try decoder.container(keyedBy: Name.self)
        } catch {
            throw .invalid("\(name) must be a JSON object", param: prefix.isEmpty ? nil : String(prefix.dropLast()))
        }
        self.prefix = prefix
    }

    /// The field's name in messages, with where it stands.
    func path(_ name: String) -> String { prefix + name }

    /// The value of a field, nil when it is missing; `expected` says what it must be, as in "a string".
    func value<T: Decodable>(_ name: String, as type: T.Type = T.self, _ expected: String) throws(APIError) -> T? {
        do {
            return try container.decodeIfPresent(type, forKey: Name(name))
        } catch let error as APIError {
            throw error
        } catch {
            throw .invalid("'\(path(name))' must be \(expected)", param: path(name))
        }
    }

    func string(_ name: String) throws(APIError) -> String? { try value(name, "a string") }

    func flag(_ name: String) throws(APIError) -> Bool? { try value(name, "true or false") }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        let expected = "an integer from \(range.lowerBound) to \(range.upperBound)"
        guard let value = try value(name, as: Int.self, expected) else { return nil }
        guard range.contains(value) else {
            throw .invalid("'\(path(name))' must be \(expected), not \(value)", param: path(name))
        }
        return value
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        guard let value = try value(name, as: Double.self, expected) else { return nil }
        guard range.contains(value) else {
            throw .invalid("'\(path(name))' must be \(expected), not \(value)", param: path(name))
        }
        return value
    }

    /// Whether a field holds something other than null, an empty list, object or string, or false.
    func holdsSomething(_ name: String) -> Bool {
        let key = Name(name)
        guard container.contains(key), (try? container.decodeNil(forKey: key)) == false else { return false }
        if let list = try? container.nestedUnkeyedContainer(forKey: key) { return list.count != 0 }
        if let object = try? container.nestedContainer(keyedBy: Name.self, forKey: key) {
            return !object.allKeys.isEmpty
        }
        if let text = try? container.decode(String.self, forKey: key) { return !text.isEmpty }
        if let flag = try? container.decode(Bool.self, forKey: key) { return flag }
        return true
    }

    /// Refuses what was asked for and cannot be done; ignoring it would change the answer silently.
    func refuse(_ names: [String]) throws(APIError) {
        for name in names where holdsSomething(name) {
            throw .unsupported("'\(path(name))' is not supported; leave it out", param: path(name))
        }
    }
}
