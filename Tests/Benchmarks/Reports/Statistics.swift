/// Small figures over samples.
package enum Statistics {
    /// The middle one; of an even number, the mean of the two in the middle. NaN of none.
    package static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return .nan }
        let ordered = values.sorted()
        let middle = ordered.count / 2
        return ordered.count % 2 == 1 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2
    }

    /// The value that the share `rank` of the values do not exceed. NaN of none.
    package static func percentile(_ values: [Double], _ rank: Double) -> Double {
        let ordered = values.sorted()
        guard !ordered.isEmpty else { return .nan }
        let index = Int((rank * Double(ordered.count)).rounded(.up)) - 1
        return ordered[min(max(index, 0), ordered.count - 1)]
    }

    package static func mean(_ values: [Double]) -> Double {
        values.isEmpty ? .nan : values.reduce(0, +) / Double(values.count)
    }
}
