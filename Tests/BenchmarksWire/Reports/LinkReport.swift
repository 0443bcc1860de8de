import Foundation

/// What bulk and activations got of a link that they share. Samples are round trips in microseconds.
struct LinkReport {
    let megabits: Double
    /// Bytes a second of payload, over all the time.
    var payloadRate = Double.nan
    var bareRate = Double.nan
    var alone: [Double] = []
    /// The first second beside bulk, in which the rate is found, is told apart.
    var early: [Double] = []
    var beside: [Double] = []
    /// Peers that were lost because beats were missed.
    var lostCount = 0

    private func linkShare(_ rate: Double) -> Double { 100 * rate * 8 / (megabits * 1e6) }

    /// Milliseconds by which a percentile of the round trips is larger beside bulk.
    private func growth(_ rank: Double) -> Double {
        (Figures.percentile(beside, rank) - Figures.percentile(alone, rank)) / 1e3
    }

    var text: String {
        func rate(_ name: String, _ rate: Double) -> String {
            String(format: "- %@: %.2f MB/s, %.2f %% of the link", name, rate / 1e6, linkShare(rate))
        }
        func trips(_ name: String, _ samples: [Double]) -> String {
            String(
                format: "- round trips %@: median %.2f ms, p99 %.2f ms, longest %.2f ms (%d)", name,
                Figures.percentile(samples, 0.5) / 1e3, Figures.percentile(samples, 0.99) / 1e3,
                (samples.max() ?? .nan) / 1e3, samples.count)
        }
        return [
            rate("bulk, payload", payloadRate), rate("a bare loop, alone for some seconds before", bareRate),
            trips("alone", alone), trips("beside bulk, first second", early), trips("beside bulk", beside),
        ].joined(separator: "\n") + "\n"
    }

    var requirements: [Requirement] {
        [
            Requirement(what: "payload", figure: linkShare(payloadRate), limit: .atLeast(95), unit: " %"),
            Requirement(what: "growth of round trips, median", figure: growth(0.5), limit: .atMost(5), unit: " ms"),
            Requirement(what: "growth of round trips, p99", figure: growth(0.99), limit: .atMost(5), unit: " ms"),
            Requirement(what: "peers lost for missed beats", figure: Double(lostCount), limit: .atMost(0)),
        ]
    }
}
