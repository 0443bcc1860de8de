/// Pairs of the same work, ours and theirs, taken in turn, and the peak loop beside them.
package struct PairSeries {
    package struct Pair {
        package var ours: WorkSample
        /// Of the same threads at the beginning of a sequence; for contexts only.
        package var short: WorkSample?
        package var theirTokensPerSecond: Double
        /// Before, between and after the two.
        package var peaks: [Double]

        package init(ours: WorkSample, short: WorkSample? = nil, theirTokensPerSecond: Double, peaks: [Double]) {
            self.ours = ours
            self.short = short
            self.theirTokensPerSecond = theirTokensPerSecond
            self.peaks = peaks
        }

        package var ratio: Double { ours.tokensPerSecond / theirTokensPerSecond }

        /// How far the machine's speed moved while the pair was measured, as a share of the fastest.
        package var peakSpread: Double {
            guard let least = peaks.min(), let most = peaks.max(), most > 0 else { return 1 }
            return (most - least) / most
        }
    }

    /// A pair during which the machine's speed moved more than this is measured again.
    static let peakSpreadMax = 0.1
    /// Attempts for each pair that is wanted, before the machine is called too noisy.
    static let attemptsPerPair = 3

    package let wantedCount: Int
    package private(set) var pairs: [Pair] = []
    package private(set) var repeatedCount = 0

    package init(wantedCount: Int) { self.wantedCount = wantedCount }

    package mutating func add(_ pair: Pair) {
        if pair.peakSpread <= Self.peakSpreadMax { pairs.append(pair) } else { repeatedCount += 1 }
    }

    /// All pairs are there, or there were too many attempts.
    package var isOver: Bool {
        pairs.count == wantedCount || pairs.count + repeatedCount >= wantedCount * Self.attemptsPerPair
    }

    package func median(_ value: (Pair) -> Double) -> Double { Statistics.median(pairs.map(value)) }

    package var ratioRange: (least: Double, most: Double) {
        let ratios = pairs.map(\.ratio)
        return (ratios.min() ?? .nan, ratios.max() ?? .nan)
    }
}
