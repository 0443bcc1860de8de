import Foundation

/// The metadata of a GGUF file, value by value as its bytes stand there, to be written into another file.
package enum GGUFMetadata {
    /// In the file's order.
    ///
    /// - Precondition: the file was opened as a `ModelFile` before, which checks its header. A file that changed since
    ///   gives an error, not wrong values.
    package static func read(_ path: String) throws -> [(name: String, value: GGUFValue)] {
        let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        return try data.withUnsafeBytes { bytes in
            var reader = Reader(path: path, bytes: bytes, offset: 16)
            let keyCount = try reader.integer(UInt64.self)
            var keys: [(String, GGUFValue)] = []
            for _ in 0..<keyCount {
                let name = String(decoding: try reader.string(), as: UTF8.self)
                let typeNumber = try reader.integer(UInt32.self)
                let start = reader.offset
                try reader.skipValue(typeNumber)
                keys.append((name, .copied(typeNumber: typeNumber, bytes: Array(bytes[start..<reader.offset]))))
            }
            return keys
        }
    }

    private struct Reader {
        let path: String
        let bytes: UnsafeRawBufferPointer
        var offset: Int

        private var damaged: WritingError { WritingError("\(path): the metadata is damaged") }

        mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) throws -> Integer {
            let start = offset
            try skip(MemoryLayout<Integer>.size)
            return Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: type))
        }

        mutating func string() throws -> UnsafeRawBufferPointer {
            let count = try integer(UInt64.self)
            let start = offset
            try skip(Int(clamping: count))
            return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
        }

        mutating func skip(_ count: Int) throws {
            guard count >= 0, count <= bytes.count - offset else { throw damaged }
            offset += count
        }

        mutating func skipValue(_ typeNumber: UInt32) throws {
            switch typeNumber {
            case 0, 1, 7: try skip(1)
            case 2, 3: try skip(2)
            case 4, 5, 6: try skip(4)
            case 10, 11, 12: try skip(8)
            case 8: _ = try string()
            case 9:
                let elementType = try integer(UInt32.self)
                let count = try integer(UInt64.self)
                // Every element has a byte at least: a count beyond the file ends at its end.
                for _ in 0..<count { try skipValue(elementType) }
            default: throw damaged
            }
        }
    }
}
