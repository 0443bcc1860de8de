/// A byte-level tokenizer of any size from 257 on: the end of a text, the 256 bytes, then two and more bytes together,
/// each reached by a merge.
package enum SyntheticTokenizer {
    package static let sizeMin = 257

    /// - Precondition: `size` is `sizeMin` or more.
    package static func keys(size: Int) -> [(name: String, value: GGUFValue)] {
        precondition(size >= sizeMin, "a byte-level vocabulary of \(size) tokens")
        let alphabet = (UInt8.min...UInt8.max).map(character)
        var texts = alphabet
        var merges: [String] = []
        // Token 256 + i is the one numbered i / 256 with byte i % 256 behind it: no two are alike.
        for index in 0..<size - sizeMin {
            let (left, right) = (texts[index / 256], alphabet[index % 256])
            merges.append("\(left) \(right)")
            texts.append(left + right)
        }
        return [
            ("tokenizer.ggml.model", .string("gpt2")),
            ("tokenizer.ggml.pre", .string("gpt-2")),
            ("tokenizer.ggml.tokens", .strings(["<|endoftext|>"] + texts)),
            ("tokenizer.ggml.token_type", .integers([3] + Array(repeating: 1, count: size - 1))),
            ("tokenizer.ggml.merges", .strings(merges)),
            ("tokenizer.ggml.bos_token_id", .unsigned(0)),
            ("tokenizer.ggml.eos_token_id", .unsigned(0)),
            ("tokenizer.ggml.add_bos_token", .boolean(false)),
        ]
    }

    /// What stands for a byte in a byte-level vocabulary: itself where it is a visible character of Latin-1, else a
    /// character from U+0100 on, in order.
    private static func character(_ byte: UInt8) -> String {
        func isVisible(_ byte: UInt8) -> Bool { (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174 }
        let hiddenBefore = (0..<byte).count(where: { !isVisible($0) })
        let value = isVisible(byte) ? UInt32(byte) : UInt32(256 + hiddenBefore)
        return Unicode.Scalar(value).map { String(Character($0)) } ?? ""
    }
}
