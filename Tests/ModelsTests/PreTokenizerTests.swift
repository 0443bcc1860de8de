import Models
import Testing

@Suite struct PreTokenizerTests {
    static func words(_ text: String, _ preTokenizer: PreTokenizer) -> [String] {
        let bytes = Array(text.utf8)
        var words: [String] = []
        bytes.withUnsafeBufferPointer { utf8 in
            preTokenizer.split(utf8) { words.append(String(decoding: utf8[$0], as: UTF8.self)) }
        }
        return words
    }

    @Test(arguments: [
        ("", []),
        ("Hello, world!", ["Hello", ",", " world", "!"]),
        ("I'll say it's we'Re 'tis", ["I", "'ll", " say", " it", "'s", " we", "'", "Re", " '", "tis"]),
        ("a  b", ["a", " ", " b"]),
        ("a\n\nb", ["a", "\n", "\n", "b"]),
        ("a \t b ", ["a", " \t", " b", " "]),
        ("end   ", ["end", "   "]),
        ("\u{A0}x\u{3000}y", ["\u{A0}", "x", "\u{3000}", "y"]),
        ("\u{A0}\u{A0}x", ["\u{A0}", "\u{A0}", "x"]),
        ("12 345", ["12", " 345"]),
        ("x²½ Ⅷ", ["x", "²½", " Ⅷ"]),
        ("e\u{301}a", ["e", "\u{301}", "a"]),
        ("zero\u{200B}width", ["zero", "\u{200B}", "width"]),
        ("!?'s", ["!?'", "s"]),
        ("'ll's", ["'ll", "'s"]),
    ])
    func gpt2(text: String, words: [String]) {
        #expect(Self.words(text, .gpt2) == words)
    }

    @Test(arguments: [
        ("12 345", ["1", "2", " ", "3", "4", "5"]),
        // The end of a part is the end of the text: both blanks stay together in front of a digit.
        ("a  1", ["a", "  ", "1"]),
        ("a  b", ["a", " ", " b"]),
        ("x²", ["x", "²"]),
        ("'1s", ["'", "1", "s"]),
    ])
    func smollm(text: String, words: [String]) {
        #expect(Self.words(text, .smollm) == words)
    }

    @Test(arguments: [
        ("Hello, World'S IT'Ll", ["Hello", ",", " World", "'S", " IT", "'Ll"]),
        ("12345 6", ["123", "45", " ", "6"]),
        ("(foo)\n\nbar", ["(foo", ")\n\n", "bar"]),
        ("a \n \n  b", ["a", " \n \n", " ", " b"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
        ("\tx", ["\tx"]),
        ("  x", [" ", " x"]),
        ("\n\nx", ["\n\n", "x"]),
        ("x   ", ["x", "   "]),
        (" !!\n", [" !!\n"]),
        ("a 1", ["a", " ", "1"]),
        ("'x", ["'x"]),
    ])
    func llamaBPE(text: String, words: [String]) {
        #expect(Self.words(text, .llamaBPE) == words)
    }

    @Test(arguments: PreTokenizer.allCases)
    func wordsAreTheWholeText(preTokenizer: PreTokenizer) {
        var random = TestRandom(seed: 7)
        for _ in 0..<500 {
            let text = random.text(countMax: 60)
            let words = Self.words(text, preTokenizer)
            #expect(words.joined().unicodeScalars.elementsEqual(text.unicodeScalars))
            #expect(!words.contains(""))
        }
    }
}
