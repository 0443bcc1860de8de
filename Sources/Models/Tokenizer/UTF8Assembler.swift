/// Bytes in, whole characters out: keeps an unfinished UTF-8 sequence back until its rest comes.
///
/// All strings given out, joined, are the bytes put in, decoded at once: each maximal ill-formed part becomes one
/// U+FFFD (Unicode Standard 3.9, "U+FFFD Substitution of Maximal Subparts").
public struct UTF8Assembler: Sendable {
    /// At most three bytes: the beginning of a well-formed sequence.
    private var pending: [UInt8] = []

    public init() {}

    /// The text that `bytes` completes; empty while a character is unfinished.
    public mutating func append(_ bytes: some Sequence<UInt8>) -> String {
        pending.append(contentsOf: bytes)
        let completeCount = pending.count - Self.unfinishedByteCount(atEndOf: pending)
        let text = String(decoding: pending[..<completeCount], as: UTF8.self)
        pending.removeFirst(completeCount)
        return text
    }

    /// What is left at the end of a text: U+FFFD when a character stayed unfinished, else nothing.
    public mutating func finish() -> String {
        defer { pending.removeAll() }
        return pending.isEmpty ? "" : "\u{FFFD}"
    }

    /// How many bytes at the end begin a well-formed sequence without completing it.
    private static func unfinishedByteCount(atEndOf bytes: [UInt8]) -> Int {
        for count in 1...3 {
            guard count <= bytes.count else { return 0 }
            let lead = bytes[bytes.count - count]
            if lead & 0b1100_0000 == 0b1000_0000 { continue }
            let sequenceLength = length(ofSequenceLedBy: lead)
            guard count < sequenceLength else { return 0 }
            if count > 1, !allows(second: bytes[bytes.count - count + 1], after: lead) { return 0 }
            return count
        }
        return 0
    }

    /// 1 for ASCII and for bytes that lead no sequence.
    private static func length(ofSequenceLedBy lead: UInt8) -> Int {
        switch lead {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 1
        }
    }

    /// Unicode Standard 3.9, table 3-7: second bytes that overlong forms, surrogates and numbers above U+10FFFF
    /// would have are ill-formed. `second` is a continuation byte.
    private static func allows(second: UInt8, after lead: UInt8) -> Bool {
        switch lead {
        case 0xE0: second >= 0xA0
        case 0xED: second <= 0x9F
        case 0xF0: second >= 0x90
        case 0xF4: second <= 0x8F
        default: true
        }
    }
}
