/// Lengths of time with a unit, as people write them: `90s`, `30m`, `24h`, `7d`.
public enum TimeSpanText {
    private static let units: [(name: String, seconds: Int64)] = [
        ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1),
    ]

    /// Nil unless `text` is a whole number and a unit; a bare number has none.
    public static func seconds(_ text: String) -> Int64? {
        guard let unit = units.first(where: { text.hasSuffix($0.name) }) else { return nil }
        let digits = text.dropLast(unit.name.count)
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let count = Int64(digits)
        else { return nil }
        let (seconds, isTooLarge) = count.multipliedReportingOverflow(by: unit.seconds)
        return isTooLarge ? nil : seconds
    }

    /// In the largest unit that fits without a rest.
    public static func text(_ seconds: Int64) -> String {
        for unit in units where seconds != 0 && seconds.isMultiple(of: unit.seconds) {
            return "\(seconds / unit.seconds)\(unit.name)"
        }
        return "\(seconds)s"
    }
}
