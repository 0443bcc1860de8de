/// Sums of byte counts that come from files and nodes: too large a value stays too large instead of wrapping.
extension UInt64 {
    func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? .max : sum
    }

    func multipliedSaturating(by other: UInt64) -> UInt64 {
        let (product, overflows) = multipliedReportingOverflow(by: other)
        return overflows ? .max : product
    }

    /// "734 MB", "4.2 GB": decimal units, as memory limits are given.
    var byteCountText: String {
        let units: [(name: String, size: UInt64)] = [
            ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000),
        ]
        guard let unit = units.first(where: { self >= $0.size }) else { return "\(self) bytes" }
        let whole = self / unit.size
        return whole >= 10 ? "\(whole) \(unit.name)" : "\(whole).\(self % unit.size / (unit.size / 10)) \(unit.name)"
    }
}
