import CProtocols

/// Serial numbers of certificates: lowercase hexadecimal, two digits a byte.
enum SerialsCodec {
    static func encode(
        _ serials: [String], _ field: StaticString, in arena: borrowing MessageArena
    ) throws(WireError) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        guard serials.count <= MessageLimits.serialCountMax else {
            throw Field(field).unencodable("\(serials.count) elements; at most \(MessageLimits.serialCountMax)")
        }
        let list = try arena.take(serials.count, of: UnsafeMutablePointer<CChar>?.self)
        for (index, serial) in serials.enumerated() {
            let element = Field(field, at: index)
            guard isSerial(serial) else {
                throw element.unencodable("\(String(reflecting: serial)) is no serial number")
            }
            list[index] = try arena.string(serial, element)
        }
        return list
    }

    static func decode(
        _ list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int, _ field: StaticString
    ) throws(WireError) -> [String] {
        let count = try FieldReader.listCount(count, max: MessageLimits.serialCountMax, Field(field))
        var serials: [String] = []
        serials.reserveCapacity(count)
        for index in 0..<count {
            let element = Field(field, at: index)
            let serial = try FieldReader.string(list?[index], element)
            guard isSerial(serial) else {
                throw element.malformed("\(String(reflecting: String(serial.prefix(64)))) is no serial number")
            }
            serials.append(serial)
        }
        return serials
    }

    private static func isSerial(_ text: String) -> Bool {
        let count = text.utf8.count
        guard count > 0, count <= MessageLimits.serialByteCountMax, count.isMultiple(of: 2) else { return false }
        return text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
    }
}
