/// What a load test needs of a streamed chunk, read straight from its bytes: decoding all of it into values takes
/// several times as long, and that time is taken from the server where both share a machine.
public struct ScannedChunk: Hashable, Sendable {
    public struct Choice: Hashable, Sendable {
        /// `text`, or `delta.content`; nil when there is none.
        public var text: String?
        public var hasRole = false
        public var finishReason: String?

        public init(text: String? = nil, hasRole: Bool = false, finishReason: String? = nil) {
            self.text = text
            self.hasRole = hasRole
            self.finishReason = finishReason
        }
    }

    public struct Usage: Hashable, Sendable {
        public var promptTokenCount = 0
        public var outputTokenCount = 0
        public var cachedTokenCount: Int?

        public init(promptTokenCount: Int = 0, outputTokenCount: Int = 0, cachedTokenCount: Int? = nil) {
            self.promptTokenCount = promptTokenCount
            self.outputTokenCount = outputTokenCount
            self.cachedTokenCount = cachedTokenCount
        }
    }

    public var id: String?
    public var choices: [Choice] = []
    public var usage: Usage?

    /// Nil when `json` is not quite what a chunk usually is; a full decoder decides then.
    public init?(_ json: some Collection<UInt8>) {
        let chunk = json.withContiguousStorageIfAvailable { bytes in
            var scanner = ChunkScanner(bytes: bytes)
            return scanner.chunk()
        }
        guard let chunk, let chunk else { return nil }
        self = chunk
    }

    init() {}
}

/// Walks over one JSON object. Every step that meets something else gives up with nil or false.
private struct ChunkScanner {
    /// Deeper values are for the full decoder.
    private static let depthMax = 32

    let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func chunk() -> ScannedChunk? {
        var chunk = ScannedChunk()
        var hasChoices = false
        let isRead = object { scanner, key in
            if key("id") { return scanner.optionalString(&chunk.id) }
            if key("choices") {
                hasChoices = true
                return scanner.array { scanner in
                    guard let choice = scanner.choice() else { return false }
                    chunk.choices.append(choice)
                    return true
                }
            }
            if key("usage") { return scanner.usage(&chunk.usage) }
            // An error has a shape of its own.
            return !key("error") && scanner.skip()
        }
        skipSpace()
        return isRead && hasChoices && index == bytes.count ? chunk : nil
    }

    private mutating func choice() -> ScannedChunk.Choice? {
        var choice = ScannedChunk.Choice()
        var hasOutput = false
        let isRead = object { scanner, key in
            if key("text") {
                hasOutput = true
                return scanner.optionalString(&choice.text)
            }
            if key("delta") {
                hasOutput = true
                return scanner.object { scanner, key in
                    if key("content") { return scanner.optionalString(&choice.text) }
                    if key("role") { choice.hasRole = true }
                    return scanner.skip()
                }
            }
            if key("finish_reason") { return scanner.optionalString(&choice.finishReason) }
            return scanner.skip()
        }
        return isRead && hasOutput ? choice : nil
    }

    private mutating func usage(_ usage: inout ScannedChunk.Usage?) -> Bool {
        if null() { return true }
        var counts = ScannedChunk.Usage()
        let isRead = object { scanner, key in
            if key("prompt_tokens") { return scanner.count(&counts.promptTokenCount) }
            if key("completion_tokens") { return scanner.count(&counts.outputTokenCount) }
            if key("prompt_tokens_details") {
                if scanner.null() { return true }
                return scanner.object { scanner, key in
                    guard key("cached_tokens") else { return scanner.skip() }
                    if scanner.null() { return true }
                    var count = 0
                    guard scanner.count(&count) else { return false }
                    counts.cachedTokenCount = count
                    return true
                }
            }
            return scanner.skip()
        }
        usage = counts
        return isRead
    }

    // MARK: - JSON

    /// - Parameter member: reads one member's value; its second argument tells whether the key is that one.
    private mutating func object(_ member: (inout ChunkScanner, (StaticString) -> Bool) -> Bool) -> Bool {
        guard take("{") else { return false }
        if take("}") { return true }
        repeat {
            skipSpace()
            guard let key = plainString(), take(":") else { return false }
            let bytes = bytes
            let isRead = member(&self) { name in
                name.utf8CodeUnitCount == key.count
                    && UnsafeBufferPointer(start: name.utf8Start, count: key.count).elementsEqual(bytes[key])
            }
            guard isRead else { return false }
        } while take(",")
        return take("}")
    }

    private mutating func array(_ element: (inout ChunkScanner) -> Bool) -> Bool {
        guard take("[") else { return false }
        if take("]") { return true }
        repeat {
            guard element(&self) else { return false }
        } while take(",")
        return take("]")
    }

    private mutating func skip(depth: Int = 0) -> Bool {
        skipSpace()
        guard index < bytes.count, depth < Self.depthMax else { return false }
        switch bytes[index] {
        case UInt8(ascii: "{"): return object { scanner, _ in scanner.skip(depth: depth + 1) }
        case UInt8(ascii: "["): return array { scanner in scanner.skip(depth: depth + 1) }
        case UInt8(ascii: "\""):
            var text: String?
            return optionalString(&text)
        default: return skipWord()
        }
    }

    /// A number, `true`, `false` or `null`.
    private mutating func skipWord() -> Bool {
        let start = index
        while index < bytes.count, Self.isWordByte(bytes[index]) { index += 1 }
        return index > start
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
        default: false
        }
    }

    private mutating func null() -> Bool {
        skipSpace()
        let word: StaticString = "null"
        guard bytes.count - index >= 4,
            UnsafeBufferPointer(start: word.utf8Start, count: 4).elementsEqual(bytes[index..<index + 4])
        else { return false }
        index += 4
        return true
    }

    private mutating func count(_ value: inout Int) -> Bool {
        skipSpace()
        var digitCount = 0
        value = 0
        while index < bytes.count, (0x30...0x39).contains(bytes[index]), digitCount < 18 {
            value = value * 10 + Int(bytes[index] - 0x30)
            index += 1
            digitCount += 1
        }
        return digitCount > 0 && (index == bytes.count || !Self.isWordByte(bytes[index]))
    }

    /// A string, or `null` for none.
    private mutating func optionalString(_ value: inout String?) -> Bool {
        skipSpace()
        guard index < bytes.count else { return false }
        guard bytes[index] == UInt8(ascii: "\"") else { return null() }
        let start = index
        if let range = plainString() {
            value = String(decoding: bytes[range], as: UTF8.self)
            return true
        }
        index = start
        return escapedString(&value)
    }

    /// The range of a string without escapes.
    private mutating func plainString() -> Range<Int>? {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return nil }
        let start = index + 1
        var end = start
        while end < bytes.count, bytes[end] >= 0x20, bytes[end] != UInt8(ascii: "\""), bytes[end] != UInt8(ascii: "\\")
        {
            end += 1
        }
        guard end < bytes.count, bytes[end] == UInt8(ascii: "\"") else { return nil }
        index = end + 1
        return start..<end
    }

    /// A string with escapes; those in hexadecimal are for the full decoder.
    private mutating func escapedString(_ value: inout String?) -> Bool {
        index += 1
        var text: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                value = String(decoding: text, as: UTF8.self)
                return true
            case UInt8(ascii: "\\"):
                guard index < bytes.count, let escaped = Self.unescaped(bytes[index]) else { return false }
                text.append(escaped)
                index += 1
            case 0..<0x20: return false
            default: text.append(byte)
            }
        }
        return false
    }

    private static func unescaped(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "t"): 0x09
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
        default: nil
        }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < bytes.count, bytes[index] == 0x20 || (0x09...0x0D).contains(bytes[index]) { index += 1 }
    }
}
