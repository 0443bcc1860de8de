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

    /// Of frames and of actor calls, where they were measured.
    var requirements: [Requirement] {
        func median(_ values: [Double]?) -> Double? { values.map { Figures.percentile($0, 0.5) } }
        let all: [(String, Double?, Double, String)] = [
            ("frames, median over the best bare way's", median(ratios["frames"]), 1.5, ""),
            ("frames, p99 over the best bare way's", median(tailRatios["frames"]), 4, ""),
            ("actor calls, median above frames", median(added["actor calls"]), 25, " us"),
        ]
        return all.compactMap { what, figure, limit, unit in
            figure.map { Requirement(what: what, figure: $0, limit: .atMost(limit), unit: unit) }
        }
    }

    /// One gather-write and at most two reads for each of a round trip's two hops; a beat that falls into the run, or
    /// what strace itself disturbs, makes hundredths.
    var systemCallRequirements: [Requirement] {
        systemCalls.filter { $0.name == "one-way messages" }.flatMap { _, counts -> [Requirement] in
            func perHop(_ names: [String]) -> Double { names.reduce(0) { $0 + (counts[$1] ?? 0) } / 2 }
            return [
                Requirement(
                    what: "one-way messages, writes of the socket a hop",
                    figure: perHop(["writev", "sendmsg", "sendto"]), limit: .atMost(1.02)),
                Requirement(
                    what: "one-way messages, reads of the socket a hop",
                    figure: perHop(["readv", "recvmsg", "recvfrom"]), limit: .atMost(2.02)),
            ]
        }
    }

    mutating func count(_ name: String, _ counts: SystemCallCount.Counts) { systemCalls.append((name, counts)) }

    var text: String {
        var lines = [
            "Round trips with \(bulkByteCount) bytes of bulk; ratios: medians of the rounds' to the best bare one",
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
        var lines = [
            "System calls a round trip (two hops) with \(bulkByteCount) bytes of bulk, both ends together", "",
        ]
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
