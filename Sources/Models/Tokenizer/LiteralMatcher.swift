import Vocabulary

/// Finds the texts of control and user-defined tokens in a text: leftmost first, and the longest of those that begin
/// at one place. A trie over bytes.
struct LiteralMatcher: Sendable {
    struct Match {
        var range: Range<Int>
        var token: TokenID
    }

    /// Child of a node by byte: key is node << 8 | byte.
    private var children: [Int: Int] = [:]
    /// What ends at each node.
    private var tokens: [TokenID?] = [nil]
    private var beginsWith = [Bool](repeating: false, count: 256)

    var isEmpty: Bool { children.isEmpty }

    /// The first token of the same text wins; an empty text is never found.
    mutating func insert(_ text: ArraySlice<UInt8>, token: TokenID) {
        guard let first = text.first else { return }
        beginsWith[Int(first)] = true
        var node = 0
        for byte in text {
            let key = node << 8 | Int(byte)
            if let child = children[key] {
                node = child
            } else {
                tokens.append(nil)
                node = tokens.count - 1
                children[key] = node
            }
        }
        if tokens[node] == nil { tokens[node] = token }
    }

    /// The first match in `text` at or after `start`.
    func firstMatch(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Match? {
        for position in start..<text.count where beginsWith[Int(text[position])] {
            var node = 0
            var longest: Match?
            var end = position
            while end < text.count, let child = children[node << 8 | Int(text[end])] {
                node = child
                end += 1
                if let token = tokens[node] { longest = Match(range: position..<end, token: token) }
            }
            if let longest { return longest }
        }
        return nil
    }
}
