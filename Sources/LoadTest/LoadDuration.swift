/// A length of time as it is typed: `90s`, `1.5m`, `250ms`, `1h`, or seconds without a unit.
public struct LoadDuration: Hashable, Sendable, CustomStringConvertible {
    public var nanoseconds: UInt64

    /// Longer ones are refused: a year.
    public static let secondsMax = 31_536_000.0

    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Nil when `text` is no length of time, or longer than a year.
    public init?(_ text: String) {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let scale: Double
        switch text.dropFirst(number.count) {
        case "", "s": scale = 1
        case "ms": scale = 1e-3
        case "m", "min": scale = 60
        case "h": scale = 3600
        default: return nil
        }
        guard let value = Double(number), value.isFinite, value * scale <= Self.secondsMax else { return nil }
        nanoseconds = UInt64((value * scale * 1e9).rounded())
    }

    public var seconds: Double { Double(nanoseconds) / 1e9 }
    public var description: String { "\(seconds)s" }
}
