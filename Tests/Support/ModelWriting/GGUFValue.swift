/// A metadata value as it stands in a GGUF file.
package enum GGUFValue: Sendable, Hashable {
    case unsigned(UInt32)
    case long(UInt64)
    case float(Float)
    case boolean(Bool)
    case string(String)
    case integers([Int32])
    case strings([String])
    /// A value of another file, untouched: its type number and its bytes.
    case copied(typeNumber: UInt32, bytes: [UInt8])

    var typeNumber: UInt32 {
        switch self {
        case .unsigned: 4
        case .float: 6
        case .boolean: 7
        case .string: 8
        case .integers, .strings: 9
        case .long: 10
        case .copied(let typeNumber, _): typeNumber
        }
    }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .unsigned(let value): bytes.append(littleEndian: value)
        case .long(let value): bytes.append(littleEndian: value)
        case .float(let value): bytes.append(littleEndian: value.bitPattern)
        case .boolean(let value): bytes.append(value ? 1 : 0)
        case .string(let text): bytes.append(gguf: text)
        case .integers(let values):
            bytes.append(littleEndian: UInt32(5))
            bytes.append(littleEndian: UInt64(values.count))
            for value in values { bytes.append(littleEndian: value) }
        case .strings(let texts):
            bytes.append(littleEndian: UInt32(8))
            bytes.append(littleEndian: UInt64(texts.count))
            for text in texts { bytes.append(gguf: text) }
        case .copied(_, let copied): bytes += copied
        }
    }
}

extension [UInt8] {
    package mutating func append(littleEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Length and UTF-8.
    mutating func append(gguf text: String) {
        append(littleEndian: UInt64(text.utf8.count))
        append(contentsOf: text.utf8)
    }
}
