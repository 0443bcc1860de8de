/// Figures that were measured in turn with a limit that nothing can exceed by much.
struct PairedSamples {
    private var limits: [Double] = []
    private var values: [Double] = []

    mutating func add(_ limit: Double, _ value: Double) {
        limits.append(limit)
        values.append(value)
    }

    var isEmpty: Bool { values.isEmpty }
    /// Median.
    var limit: Double { Statistics.median(limits) }
    /// Median.
    var value: Double { Statistics.median(values) }
    /// Median of the ratios.
    var share: Double { Statistics.median(zip(values, limits).map { $0 / $1 }) }
}
