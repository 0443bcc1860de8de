import Vocabulary

/// A vocabulary: what bytes each token stands for, and which token stands for given bytes.
struct TokenTable: Sendable {
    /// The bytes of each token, out of the byte alphabet; of control tokens, the text by which they are written.
    let texts: StringTable
    let kinds: [TokenKind]
    /// The token of each single byte; -1 where there is none.
    let byteTokens: [TokenID]
    private let index: TokenIndex

    init(_ metadata: [String: MetadataValue]) throws(ModelError) {
        let key = "tokenizer.ggml.tokens"
        guard let written = try MetadataReader(metadata).stringsIfPresent(key), written.count > 0 else {
            throw ModelError(.missing, "the file has no \(key): no tokenizer")
        }
        let kinds = try TokenKind.read(metadata, count: written.count)
        var texts = StringTable()
        texts.reserve(count: written.count, byteCount: written.byteCount)
        var index = TokenIndex(capacity: written.count)
        var decoded: [UInt8] = []
        for token in 0..<written.count {
            decoded.removeAll(keepingCapacity: true)
            let kind = kinds[token]
            let isInAlphabet = written.withUTF8(at: token) { text in
                guard kind == .normal || kind == .byte else {
                    decoded.append(contentsOf: text)
                    return true
                }
                return ByteAlphabet.decode(text, into: &decoded)
            }
            texts.append(decoded)
            // Control tokens must not be reachable by merging what a user wrote.
            if isInAlphabet, !decoded.isEmpty, kind == .normal || kind == .byte || kind == .userDefined {
                index.insert(TokenID(token), in: texts)
            }
        }
        self.texts = texts
        self.kinds = kinds
        self.index = index
        byteTokens = (0...255).map { (byte: UInt8) in
            [byte].withUnsafeBufferPointer { index.find($0, in: texts) ?? -1 }
        }
    }

    var count: Int { texts.count }

    func contains(_ token: TokenID) -> Bool { token >= 0 && Int(token) < count }

    /// What the token adds to a text.
    func bytes(of token: TokenID) -> ArraySlice<UInt8> {
        guard contains(token) else { return [] }
        switch kinds[Int(token)] {
        case .normal, .userDefined, .byte: return texts.utf8(at: Int(token))
        case .control, .unknown, .unused: return []
        }
    }

    func token(of bytes: UnsafeBufferPointer<UInt8>) -> TokenID? { index.find(bytes, in: texts) }

    func literals(where isWanted: (TokenKind) -> Bool) -> LiteralMatcher {
        var matcher = LiteralMatcher()
        for (token, kind) in kinds.enumerated() where isWanted(kind) {
            matcher.insert(texts.utf8(at: token), token: TokenID(token))
        }
        return matcher
    }

    /// - Parameter lines: "LEFT RIGHT" in the byte alphabet, the earliest merge first.
    func mergeTable(_ lines: StringTable) throws(ModelError) -> MergeTable {
        var table = MergeTable(capacity: lines.count)
        var joined: [UInt8] = []
        for rank in 0..<lines.count {
            joined.removeAll(keepingCapacity: true)
            let merge = lines.withUTF8(at: rank) { line -> (TokenID, TokenID, TokenID)? in
                // From the second byte on: a token has at least one character.
                guard let blank = line.dropFirst().firstIndex(of: UInt8(ascii: " ")),
                    ByteAlphabet.decode(UnsafeBufferPointer(rebasing: line[..<blank]), into: &joined)
                else { return nil }
                let leftCount = joined.count
                guard ByteAlphabet.decode(UnsafeBufferPointer(rebasing: line[(blank + 1)...]), into: &joined) else {
                    return nil
                }
                return joined.withUnsafeBufferPointer { bytes in
                    guard let left = token(of: UnsafeBufferPointer(rebasing: bytes[..<leftCount])),
                        let right = token(of: UnsafeBufferPointer(rebasing: bytes[leftCount...])),
                        let whole = token(of: bytes)
                    else { return nil }
                    return (left, right, whole)
                }
            }
            guard let (left, right, whole) = merge else {
                throw ModelError(
                    .malformed,
                    "merge \(rank) of tokenizer.ggml.merges, \(ModelError.quote(lines[rank])), does not name "
                        + "two tokens of the vocabulary that join to a third")
            }
            table.insert(left, right, MergeTable.Merge(rank: UInt32(rank), token: whole))
        }
        return table
    }
}
