/// Whether bulk transfers are compressed: LZ4, after the bytes of 16-bit values were dealt out by significance.
public enum BulkCompression: Hashable, Sendable {
    /// While the link is measured to be slower than the compressor, and the data shrink.
    case automatic
    case always
    case never
}

/// Whether compressing pays on a link, from what it was seen to give.
package struct CompressionChoice: Sendable {
    /// Compressed over uncompressed bytes, and uncompressed bytes a second, of the last pieces. Nil before the first.
    package private(set) var ratio: Double?
    package private(set) var speed: Double?

    /// Less gain than this is not worth a processor's time.
    private static let gainMin = 0.1
    private static let weight = 0.2

    package init() {}

    package mutating func note(byteCount: Int, compressedByteCount: Int, seconds: Double) {
        guard byteCount > 0, seconds > 0 else { return }
        func smooth(_ old: Double?, _ new: Double) -> Double {
            old.map { $0 + Self.weight * (new - $0) } ?? new
        }
        ratio = smooth(ratio, Double(compressedByteCount) / Double(byteCount))
        speed = smooth(speed, Double(byteCount) / seconds)
    }

    /// - Parameter linkRate: bytes a second; nil when it is not known.
    package func pays(linkRate: Double?) -> Bool {
        guard let linkRate, let ratio, let speed else { return false }
        // Compressor and link work at the same time: the slower one decides.
        let secondsPerByte = max(1 / speed, ratio / linkRate)
        return secondsPerByte < (1 - Self.gainMin) / linkRate
    }
}
