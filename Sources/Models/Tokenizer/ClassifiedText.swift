/// A text as its characters' classes, with the way back to its bytes.
struct ClassifiedText {
    private(set) var classes: [ScalarClass] = []
    /// ASCII characters stand for themselves; all others are 0, for no rule names one.
    private(set) var ascii: [UInt8] = []
    /// Where each character begins, and the end.
    private(set) var offsets: [Int] = []

    var count: Int { classes.count }

    /// - Parameter utf8: well-formed UTF-8.
    init(_ utf8: UnsafeBufferPointer<UInt8>) {
        classes.reserveCapacity(utf8.count)
        ascii.reserveCapacity(utf8.count)
        offsets.reserveCapacity(utf8.count + 1)
        var offset = 0
        while offset < utf8.count {
            offsets.append(offset)
            let first = utf8[offset]
            if first < 0x80 {
                classes.append(ScalarClass(Unicode.Scalar(first)))
                ascii.append(first)
                offset += 1
                continue
            }
            let length = min(first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4, utf8.count - offset)
            var value = UInt32(first) & (0xFF >> UInt32(length + 1))
            for index in 1..<max(length, 1) { value = value << 6 | UInt32(utf8[offset + index] & 0b11_1111) }
            classes.append(ScalarClass(Unicode.Scalar(value) ?? "\u{FFFD}"))
            ascii.append(0)
            offset += length
        }
        offsets.append(offset)
    }
}
