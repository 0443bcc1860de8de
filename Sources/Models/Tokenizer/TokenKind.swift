/// What a token is, by the numbers of `tokenizer.ggml.token_type`.
enum TokenKind: UInt8, Sendable {
    case normal = 1
    /// Stands for "no token for this"; treated as a control token.
    case unknown = 2
    /// Directs the model; has no text of its own, and is recognised only where control tokens are parsed.
    case control = 3
    /// Added to the vocabulary by hand: its text always becomes this token.
    case userDefined = 4
    case unused = 5
    case byte = 6

    /// The kinds of `count` tokens; all normal when the file does not say.
    static func read(_ metadata: [String: MetadataValue], count: Int) throws(ModelError) -> [TokenKind] {
        let key = "tokenizer.ggml.token_type"
        guard let numbers = try MetadataReader(metadata).integersIfPresent(key) else {
            return Array(repeating: .normal, count: count)
        }
        guard numbers.count == count else {
            throw ModelError(.malformed, "\(key) has \(numbers.count) elements for \(count) tokens")
        }
        var kinds: [TokenKind] = []
        kinds.reserveCapacity(count)
        for (token, number) in numbers.enumerated() {
            guard let raw = UInt8(exactly: number), let kind = TokenKind(rawValue: raw) else {
                throw ModelError(.malformed, "\(key) gives token \(token) the type \(number); there are types 1 to 6")
            }
            kinds.append(kind)
        }
        return kinds
    }
}
