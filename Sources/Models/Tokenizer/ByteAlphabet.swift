/// The alphabet in which byte-level vocabularies are written: each of the 256 bytes stands as one visible character.
///
/// Bytes 33-126, 161-172 and 174-255 are the characters of the same number; the other 68, in order, are U+0100 to
/// U+0143.
enum ByteAlphabet {
    /// The byte that a character stands for; -1 for characters outside the alphabet.
    private static let byteOfScalar: [Int16] = {
        var table = [Int16](repeating: -1, count: 0x144)
        var next = 0x100
        for byte in 0..<256 {
            switch byte {
            case 33...126, 161...172, 174...255: table[byte] = Int16(byte)
            default:
                table[next] = Int16(byte)
                next += 1
            }
        }
        return table
    }()

    /// The bytes that `text` (UTF-8) stands for, appended to `output`. Characters outside the alphabet are copied as
    /// they are.
    ///
    /// - Returns: Whether every character was of the alphabet.
    static func decode(_ text: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]) -> Bool {
        var isWhole = true
        var index = 0
        while index < text.count {
            let first = text[index]
            if (33...126).contains(first) {
                output.append(first)
                index += 1
                continue
            }
            // The alphabet's other characters take two bytes of UTF-8.
            if first & 0b1110_0000 == 0b1100_0000, index + 1 < text.count, text[index + 1] & 0b1100_0000 == 0b1000_0000
            {
                let scalar = Int(first & 0b1_1111) << 6 | Int(text[index + 1] & 0b11_1111)
                if scalar >= 128, scalar < byteOfScalar.count, byteOfScalar[scalar] >= 0 {
                    output.append(UInt8(byteOfScalar[scalar]))
                    index += 2
                    continue
                }
            }
            isWhole = false
            output.append(first)
            index += 1
        }
        return isWhole
    }
}
