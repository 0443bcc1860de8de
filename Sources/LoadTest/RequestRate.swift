/// Requests per second as they are typed: `4`, `4/s`, `90/min`, `1000/h`, or `inf` for all at once.
public struct RequestRate: Hashable, Sendable, CustomStringConvertible {
    public var perSecond: Double

    public init(perSecond: Double) { self.perSecond = perSecond }

    /// Nil when `text` is no rate above 0.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let value = Double(parts[0]), value > 0 else { return nil }
        switch parts.count == 1 ? "s" : parts[1] {
        case "s", "sec": perSecond = value
        case "m", "min": perSecond = value / 60
        case "h": perSecond = value / 3600
        default: return nil
        }
        guard perSecond > 0 else { return nil }
    }

    public var description: String { perSecond.isFinite ? "\(perSecond)/s" : "inf" }
}
