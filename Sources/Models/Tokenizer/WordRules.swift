/// Where the word ends that begins at the lower bound of a range of characters. The range is never empty, and the end
/// is always beyond the start.
enum WordRules {
    private static let apostrophe = UInt8(ascii: "'")
    private static let blank = UInt8(ascii: " ")

    static func gpt2(_ text: ClassifiedText, _ range: Range<Int>) -> Int {
        if let end = contraction(text, range, ignoresCase: false) { return end }
        // ` ?\p{L}+`, ` ?\p{N}+`, ` ?[^\s\p{L}\p{N}]+`: which one is decided by the character after the blank.
        let start = startAfterBlank(text, range)
        if start < range.upperBound, !text.classes[start].isWhitespace {
            return run(text, start..<range.upperBound, of: text.classes[start])
        }
        return whitespace(text, range)
    }

    static func llama(_ text: ClassifiedText, _ range: Range<Int>) -> Int {
        if let end = contraction(text, range, ignoresCase: true) { return end }
        let first = text.classes[range.lowerBound]
        // `[^\r\n\p{L}\p{N}]?\p{L}+`: any one character may lead the letters, unless it is a number or ends a line.
        if first == .letter { return run(text, range, of: .letter) }
        let second = range.lowerBound + 1
        if first == .space || first == .other, second < range.upperBound, text.classes[second] == .letter {
            return run(text, second..<range.upperBound, of: .letter)
        }
        if first == .number {
            return run(text, range.lowerBound..<min(range.lowerBound + 3, range.upperBound), of: .number)
        }
        // ` ?[^\s\p{L}\p{N}]+[\r\n]*`
        let start = startAfterBlank(text, range)
        if start < range.upperBound, text.classes[start] == .other {
            let end = run(text, start..<range.upperBound, of: .other)
            return run(text, end..<range.upperBound, of: .newline)
        }
        // `\s*[\r\n]+`: back from the end of the white space to its last line end.
        let end = whitespaceEnd(text, range)
        if let lastNewline = text.classes[range.lowerBound..<end].lastIndex(of: .newline) { return lastNewline + 1 }
        return whitespace(text, range)
    }

    /// `\s+(?!\S)|\s+`: white space up to the end of the text; before something else, all but its last character, which
    /// that something may want; a single one alone.
    private static func whitespace(_ text: ClassifiedText, _ range: Range<Int>) -> Int {
        let end = whitespaceEnd(text, range)
        let reachesEnd = end == range.upperBound
        return reachesEnd || end - range.lowerBound == 1 ? end : end - 1
    }

    private static func whitespaceEnd(_ text: ClassifiedText, _ range: Range<Int>) -> Int {
        range.first { !text.classes[$0].isWhitespace } ?? range.upperBound
    }

    private static func run(_ text: ClassifiedText, _ range: Range<Int>, of wanted: ScalarClass) -> Int {
        range.first { text.classes[$0] != wanted } ?? range.upperBound
    }

    private static func startAfterBlank(_ text: ClassifiedText, _ range: Range<Int>) -> Int {
        text.ascii[range.lowerBound] == blank ? range.lowerBound + 1 : range.lowerBound
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d`
    private static func contraction(_ text: ClassifiedText, _ range: Range<Int>, ignoresCase: Bool) -> Int? {
        guard text.ascii[range.lowerBound] == apostrophe else { return nil }
        func letter(_ offset: Int) -> UInt8 {
            let index = range.lowerBound + offset
            guard index < range.upperBound, text.classes[index] == .letter else { return 0 }
            // Bit 5 makes an ASCII letter a small one.
            return ignoresCase ? text.ascii[index] | 0x20 : text.ascii[index]
        }
        switch (letter(1), letter(2)) {
        case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
            return range.lowerBound + 2
        case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
            (UInt8(ascii: "l"), UInt8(ascii: "l")):
            return range.lowerBound + 3
        default: return nil
        }
    }
}
