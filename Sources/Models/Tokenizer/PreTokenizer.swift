/// How a text is cut into words before byte pairs merge, by the names of `tokenizer.ggml.pre`.
///
/// Each is a regular expression in its model's own tokenizer; here they are written out over characters, because they
/// need no backtracking beyond what is said below.
package enum PreTokenizer: String, Sendable, CaseIterable {
    /// Every number character alone, and what lies between as gpt-2. The parts are cut apart first, so the end of a
    /// part counts as the end of the text.
    case smollm
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2 = "gpt-2"
    /// `'(s|t|re|ve|m|ll|d)` in either case, then
    /// `[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    case llamaBPE = "llama-bpe"

    /// A word that is a token as a whole is that token, whatever the merges say.
    var prefersWholeWords: Bool { self == .llamaBPE }

    /// Calls `body` with the byte range of each word of `utf8` (well-formed UTF-8), in order; together they are all of
    /// the text.
    package func split(_ utf8: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
        let text = ClassifiedText(utf8)
        switch self {
        case .gpt2: Self.splitAll(text, in: 0..<text.count, body, WordRules.gpt2)
        case .llamaBPE: Self.splitAll(text, in: 0..<text.count, body, WordRules.llama)
        case .smollm:
            var partStart = 0
            for index in 0..<text.count where text.classes[index] == .number {
                Self.splitAll(text, in: partStart..<index, body, WordRules.gpt2)
                body(text.offsets[index]..<text.offsets[index + 1])
                partStart = index + 1
            }
            Self.splitAll(text, in: partStart..<text.count, body, WordRules.gpt2)
        }
    }

    private static func splitAll(
        _ text: ClassifiedText, in range: Range<Int>, _ body: (Range<Int>) -> Void,
        _ wordEnd: (ClassifiedText, Range<Int>) -> Int
    ) {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = wordEnd(text, start..<range.upperBound)
            body(text.offsets[start]..<text.offsets[end])
            start = end
        }
    }
}
