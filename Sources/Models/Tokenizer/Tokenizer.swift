public import Vocabulary

/// Text to tokens and back: byte-level byte-pair encoding (`tokenizer.ggml.model` "gpt2").
///
/// Keeps no reference to the file. Bytes for which the vocabulary has no token (SmolLM2 lacks a few control
/// characters and the planes above U+3FFFF) are left out, as in the models' own tokenizers.
public struct Tokenizer: TokenText, Sendable {
    private let vocabulary: TokenTable
    private let merges: MergeTable
    private let preTokenizer: PreTokenizer
    private let special: SpecialTokens
    /// Texts of user-defined tokens: always recognised.
    private let userDefinedLiterals: LiteralMatcher
    /// Those and the texts of control tokens.
    private let allLiterals: LiteralMatcher

    /// - Throws: `ModelError` when the file has no tokenizer, one of another kind, or a damaged one.
    public init(_ file: ModelFile) throws(ModelError) {
        do throws(ModelError) { try self.init(file.metadata) } catch { throw error.naming(file.path) }
    }

    private init(_ metadata: [String: MetadataValue]) throws(ModelError) {
        let keys = MetadataReader(metadata, prefix: "tokenizer.ggml.")
        let model = try keys.string("model")
        guard model == "gpt2" else {
            throw ModelError(
                .unsupported,
                "tokenizer.ggml.model \(ModelError.quote(model)) is not supported; supported: gpt2 "
                    + "(byte-level BPE)")
        }
        let preName = try keys.string("pre")
        guard let preTokenizer = PreTokenizer(rawValue: preName) else {
            let supported = PreTokenizer.allCases.map(\.rawValue).joined(separator: ", ")
            throw ModelError(
                .unsupported,
                "tokenizer.ggml.pre \(ModelError.quote(preName)) is not supported; supported: \(supported)")
        }
        self.preTokenizer = preTokenizer
        special = try SpecialTokens(metadata)
        vocabulary = try TokenTable(metadata)
        guard let merges = try keys.stringsIfPresent("merges") else {
            throw ModelError(.missing, "the file has no tokenizer.ggml.merges, which byte-level BPE needs")
        }
        self.merges = try vocabulary.mergeTable(merges)
        userDefinedLiterals = vocabulary.literals { $0 == .userDefined }
        allLiterals = vocabulary.literals { $0 == .userDefined || $0 == .control || $0 == .unknown }
    }

    public var vocabularySize: Int { vocabulary.count }
    /// The token that begins a text.
    public var beginToken: TokenID? { special.begin }
    /// Ascending: generation stops at these.
    public var endTokens: [TokenID] { special.endTokens }
    /// Whether `encode` puts `beginToken` in front when not told otherwise.
    public var addsBeginning: Bool { special.addsBeginning }

    // MARK: Text to tokens

    /// The tokens of `text`.
    ///
    /// - Parameters:
    ///   - parsesControlTokens: Whether the texts of control tokens ("<|im_start|>") become those tokens. Switch it off
    ///     for text of unknown origin.
    ///   - addsBeginning: Put `beginToken` in front. Nil: as the file says (`add_bos_token`).
    ///   - addsEnd: Put the end token behind. Nil: as the file says (`add_eos_token`).
    public func encode(
        _ text: String, parsesControlTokens: Bool = true, addsBeginning: Bool? = nil, addsEnd: Bool? = nil
    ) -> [TokenID] {
        encode(
            [TextSegment(text, parsesControlTokens: parsesControlTokens)], addsBeginning: addsBeginning,
            addsEnd: addsEnd)
    }

    /// The tokens of the segments' joined text; words and merges run across the segments' borders, but control tokens
    /// are found only inside segments that allow them.
    public func encode(
        _ segments: [TextSegment], addsBeginning: Bool? = nil, addsEnd: Bool? = nil
    ) -> [TokenID] {
        var tokens: [TokenID] = []
        var merger = BytePairMerger(merges: merges, byteTokens: vocabulary.byteTokens)
        var plain: [UInt8] = []
        if addsBeginning ?? special.addsBeginning, let begin = special.begin { tokens.append(begin) }
        for segment in segments {
            let literals = segment.parsesControlTokens ? allLiterals : userDefinedLiterals
            var text = segment.text
            text.withUTF8 { utf8 in
                var start = 0
                while !literals.isEmpty, let match = literals.firstMatch(in: utf8, from: start) {
                    plain.append(contentsOf: utf8[start..<match.range.lowerBound])
                    encodePlain(plain, &merger, into: &tokens)
                    plain.removeAll(keepingCapacity: true)
                    tokens.append(match.token)
                    start = match.range.upperBound
                }
                plain.append(contentsOf: utf8[start...])
            }
        }
        encodePlain(plain, &merger, into: &tokens)
        if addsEnd ?? special.addsEnd, let end = special.end { tokens.append(end) }
        return tokens
    }

    /// - Parameter text: well-formed UTF-8.
    private func encodePlain(_ text: [UInt8], _ merger: inout BytePairMerger, into tokens: inout [TokenID]) {
        text.withUnsafeBufferPointer { utf8 in
            preTokenizer.split(utf8) { range in
                let word = UnsafeBufferPointer(rebasing: utf8[range])
                if preTokenizer.prefersWholeWords, let token = vocabulary.token(of: word) {
                    tokens.append(token)
                } else {
                    merger.encode(word, into: &tokens)
                }
            }
        }
    }

    // MARK: Tokens to text

    public func bytes(of token: TokenID) -> [UInt8] { Array(vocabulary.bytes(of: token)) }

    /// The text of `tokens`. Bytes that are no UTF-8 become U+FFFD; for a stream, use `UTF8Assembler`.
    public func decode(_ tokens: some Sequence<TokenID>) -> String {
        var bytes: [UInt8] = []
        for token in tokens { bytes.append(contentsOf: vocabulary.bytes(of: token)) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// For people to read: the token's text, of control tokens too; empty for ids outside the vocabulary.
    public func piece(of token: TokenID) -> String {
        vocabulary.contains(token) ? vocabulary.texts[Int(token)] : ""
    }
}
