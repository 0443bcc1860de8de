/// Counts of bytes with units, as people write them.
public enum ByteSize {
    private static let units: [(name: String, byteCount: UInt64)] = [
        ("kib", 1 << 10), ("mib", 1 << 20), ("gib", 1 << 30), ("tib", 1 << 40),
        ("kb", 1_000), ("mb", 1_000_000), ("gb", 1_000_000_000), ("tb", 1_000_000_000_000),
        ("b", 1), ("", 1),
    ]

    /// "8GiB", "1.5 GiB", "500MB", "4096": powers of 1024 with the i, of 1000 without. Nil when it is no size or
    /// does not fit 63 bits.
    public static func parse(_ text: String) -> UInt64? {
        guard text.utf8.count <= 32 else { return nil }
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unitText = text.dropFirst(digits.count).drop { $0 == " " }.lowercased()
        guard let unit = units.first(where: { $0.name == unitText }) else { return nil }
        if let whole = UInt64(digits) {
            let (value, overflow) = whole.multipliedReportingOverflow(by: unit.byteCount)
            return overflow || value > UInt64(Int64.max) ? nil : value
        }
        guard unit.byteCount > 1, digits.first?.isNumber == true, digits.last?.isNumber == true,
            let fraction = Double(digits)
        else { return nil }
        let value = (fraction * Double(unit.byteCount)).rounded()
        return value < 9e18 ? UInt64(value) : nil
    }

    /// The largest binary unit that gives at least 1, with up to one digit after the point: "1.5 GiB".
    public static func text(_ byteCount: UInt64) -> String {
        let scales: [(String, UInt64)] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        for (name, scale) in scales where byteCount >= scale {
            let tenths = UInt64((Double(byteCount) / Double(scale) * 10).rounded())
            return tenths % 10 == 0 ? "\(tenths / 10) \(name)" : "\(tenths / 10).\(tenths % 10) \(name)"
        }
        return "\(byteCount) bytes"
    }
}
