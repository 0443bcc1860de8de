import ClusterSimulation
import Foundation

/// Runs simulated clusters by their seeds. Without faults and with faults are two courses of one seed.
@main struct Simulate {
    private static let usage = """
        usage: tools/simulate --seeds A..B [--planted-bug NAME]
               tools/simulate --seed N [--trace] [--planted-bug NAME]

        Each seed is one course of a cluster without faults and one with. Ends with 1 when an invariant is broken.
        Planted bugs: \(PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")).
        """

    private struct Asked {
        var seeds: ClosedRange<UInt64> = 1...1_000
        var isTraced = false
        var bug: PlantedBug?
    }

    private struct BadUsage: Error {
        var reason: String
    }

    static func main() async {
        let asked: Asked
        do throws(BadUsage) {
            asked = try parse(Array(CommandLine.arguments.dropFirst()))
        } catch {
            let text = error.reason.isEmpty ? usage : "simulate: \(error.reason)\n\n\(usage)"
            FileHandle.standardError.write(Data((text + "\n").utf8))
            exit(64)
        }
        let laneCount = asked.isTraced ? 1 : max(1, ProcessInfo.processInfo.activeProcessorCount)
        let failures = await withTaskGroup(of: [Failure].self) { group in
            for lane in 0..<laneCount {
                group.addTask { run(asked, lane: UInt64(lane), of: UInt64(laneCount)) }
            }
            var failures: [Failure] = []
            for await some in group { failures += some }
            return failures
        }
        for failure in failures.sorted(by: { $0.seed < $1.seed }) { print(failure.text) }
        let count = asked.seeds.upperBound - asked.seeds.lowerBound + 1
        print("\(count) seeds, \(2 * count) courses, \(failures.count) failed")
        exit(failures.isEmpty ? 0 : 1)
    }

    private struct Failure: Sendable {
        var seed: UInt64
        var text: String
    }

    private static func run(_ asked: Asked, lane: UInt64, of laneCount: UInt64) -> [Failure] {
        var failures: [Failure] = []
        var seed = asked.seeds.lowerBound + lane
        while seed <= asked.seeds.upperBound {
            for hasFaults in [false, true] {
                var options = SimulationOptions(seed: seed, hasFaults: hasFaults)
                options.isTraced = asked.isTraced
                options.plantedBug = asked.bug
                var simulation = ClusterSimulation(options)
                simulation.run()
                guard !simulation.problems.isEmpty else { continue }
                let problems = simulation.problems.map { "  \($0)" }.joined(separator: "\n")
                let kind = hasFaults ? "with faults" : "without faults"
                failures.append(
                    Failure(
                        seed: seed,
                        text: "seed \(seed) \(kind):\n\(problems)\n  again: tools/simulate --seed \(seed) --trace"))
            }
            let (next, overflows) = seed.addingReportingOverflow(laneCount)
            if overflows { break }
            seed = next
        }
        return failures
    }

    private static func parse(_ arguments: [String]) throws(BadUsage) -> Asked {
        var asked = Asked()
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--seeds": asked.seeds = try range(rest.popFirst())
            case "--seed":
                guard let seed = rest.popFirst().flatMap({ UInt64($0) }), seed < .max >> 2 else {
                    throw BadUsage(reason: "--seed needs a number")
                }
                asked.seeds = seed...seed
            case "--trace": asked.isTraced = true
            case "--planted-bug":
                guard let bug = rest.popFirst().flatMap({ PlantedBug(rawValue: $0) }) else {
                    throw BadUsage(reason: "--planted-bug needs one of the names below")
                }
                asked.bug = bug
            case "--help", "-h": throw BadUsage(reason: "")
            default: throw BadUsage(reason: "unknown argument '\(argument)'")
            }
        }
        if asked.isTraced, asked.seeds.count > 1 { throw BadUsage(reason: "--trace needs --seed") }
        return asked
    }

    private static func range(_ text: String?) throws(BadUsage) -> ClosedRange<UInt64> {
        let ends = (text ?? "").components(separatedBy: "..").map { UInt64($0) }
        guard ends.count == 2, let low = ends[0], let high = ends[1], low <= high, high < .max >> 2 else {
            throw BadUsage(reason: "--seeds needs a range like 1..1000")
        }
        return low...high
    }
}
