/// Finds the first stop string in a stream of bytes and holds back what may still become one.
///
/// The string that is completed first wins; of several completed by the same byte, the longest. So the result
/// depends on the bytes alone, not on how they were cut into tokens.
package struct StopMatcher: Sendable {
    /// One stop string with its Knuth-Morris-Pratt failure table.
    private struct Pattern: Sendable {
        let bytes: [UInt8]
        /// Element i: the length of the longest proper prefix that is also a suffix of the first i + 1 bytes.
        let failure: [Int]
        /// Bytes of the pattern that the stream ends with.
        var matchedCount = 0

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
            var failure = Array(repeating: 0, count: bytes.count)
            var length = 0
            for index in bytes.indices.dropFirst() {
                while length > 0, bytes[index] != bytes[length] { length = failure[length - 1] }
                if bytes[index] == bytes[length] { length += 1 }
                failure[index] = length
            }
            self.failure = failure
        }

        /// True when `byte` completes the pattern.
        mutating func advance(_ byte: UInt8) -> Bool {
            while matchedCount > 0, byte != bytes[matchedCount] { matchedCount = failure[matchedCount - 1] }
            if byte == bytes[matchedCount] { matchedCount += 1 }
            return matchedCount == bytes.count
        }
    }

    package struct Outcome: Equatable, Sendable {
        /// Bytes that are certainly before any stop string.
        package var released: [UInt8]
        /// The stop string found: the bytes before it are all released, those after it dropped.
        package var match: [UInt8]?
    }

    private var patterns: [Pattern]
    /// The end of the stream as far as it may begin a stop string.
    private var held: [UInt8] = []

    /// Empty stop strings match nothing.
    package init(_ stops: [String]) {
        patterns = stops.filter { !$0.isEmpty }.map { Pattern(Array($0.utf8)) }
    }

    /// Not to be called again after a match.
    package mutating func append(_ bytes: [UInt8]) -> Outcome {
        guard !patterns.isEmpty else { return Outcome(released: bytes, match: nil) }
        for byte in bytes {
            held.append(byte)
            var longest: [UInt8]?
            for index in patterns.indices where patterns[index].advance(byte) {
                if patterns[index].bytes.count > (longest?.count ?? 0) { longest = patterns[index].bytes }
            }
            if let longest {
                let released = Array(held.dropLast(longest.count))
                held = []
                return Outcome(released: released, match: longest)
            }
        }
        let heldCount = patterns.reduce(0) { max($0, $1.matchedCount) }
        let released = Array(held.dropLast(heldCount))
        held.removeFirst(released.count)
        return Outcome(released: released, match: nil)
    }

    /// The stream ends without a match: what was held back.
    package mutating func finish() -> [UInt8] {
        defer { held = [] }
        return held
    }
}
