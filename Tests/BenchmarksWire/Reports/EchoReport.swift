import Foundation

/// Round trips of several ways, taken in turn.
struct EchoReport {
    private let bulkByteCount: Int
    private var names: [String] = []
    private var samples: [String: [Double]] = [:]
    /// Of this round.
    private var medians: [String: Double] = [:]
    private var bareMedian = Double.infinity
    private var bareTail = Double.infinity
    private var tails: [String: Double] = [:]
    /// Of all rounds, over the best bare way's of the same round.
    private var ratios: [String: [Double]] = [:]
    private var tailRatios: [String: [Double]] = [:]
    private var added: [String: [Double]] = [:]
    private var systemCalls: [(name: String, counts: SystemCallCount.Counts)] = []

    init(bulkByteCount: Int) { self.bulkByteCount = bulkByteCount }

    mutating func add(_ name: String, _ round: [Double], isBare: Bool) {
        if samples[name] == nil { names.append(name) }
        samples[name, default: []] += round
        let median = Figures.percentile(round, 0.5)
        let tail = Figures.percentile(round, 0.99)
        medians[name] = median
        tails[name] = tail
        if isBare, median < bareMedian { (bareMedian, bareTail) = (median, tail) }
    }

    mutating func endRound() {
        let frames = medians["frames"]
        for name in names {
            if let median = medians[name] {
                ratios[name, default: []].append(median / bareMedian)
                if let frames { added[name, default: []].append(median - frames) }
            }
            if let tail = tails[name] { tailRatios[name, default: []].append(tail / bareTail) }
        }
        medians = [:]
        tails = [:]
        bareMedian = .infinity
        bareTail = .infinity
    }

    mutating func count(_ name: String, _ counts: SystemCallCount.Counts) { systemCalls.append((name, counts)) }

    var text: String {
        var lines = [
            "Round trips with \(bulkByteCount) bytes of bulk; ratios are medians of the rounds' against the best bare one",
            "", "| way | median us | p99 us | median ratio | p99 ratio | us above frames |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for name in names {
            let all = samples[name] ?? []
            lines.append(
                String(
                    format: "| %@ | %.1f | %.1f | %.2f | %.2f | %.1f |", name, Figures.percentile(all, 0.5),
                    Figures.percentile(all, 0.99), Figures.percentile(ratios[name] ?? [], 0.5),
                    Figures.percentile(tailRatios[name] ?? [], 0.5), Figures.percentile(added[name] ?? [], 0.5)))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    var systemCallText: String {
        var lines = ["System calls a round trip (two hops) with \(bulkByteCount) bytes of bulk, both ends together", ""]
        for (name, counts) in systemCalls {
            let parts = counts.sorted { $0.key < $1.key }.filter { $0.value >= 0.005 }
                .map { String(format: "%@ %.2f", $0.key, $0.value) }
            lines.append("- \(name): \(parts.joined(separator: ", "))")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

enum Figures {
    /// The value that the share `rank` of the values do not exceed; NaN of none.
    static func percentile(_ values: [Double], _ rank: Double) -> Double {
        let ordered = values.sorted()
        guard !ordered.isEmpty else { return .nan }
        let index = Int((rank * Double(ordered.count)).rounded(.up)) - 1
        return ordered[min(max(index, 0), ordered.count - 1)]
    }
}
