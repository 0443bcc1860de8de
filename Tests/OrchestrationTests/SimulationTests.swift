import ClusterSimulation
import Foundation
import Testing

/// `SHARDLINE_SIMULATION_SEEDS=5000` runs so many seeds of each kind; `tools/simulate` runs any, and replays one aloud.
@Suite struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    #if DEBUG
    private static let usualSeedCount: UInt64 = 60
    #else
    private static let usualSeedCount: UInt64 = 1_000
    #endif
    private static let seeds: ClosedRange<UInt64> =
        1...max(1, environment["SHARDLINE_SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? usualSeedCount)

    private func run(
        _ seed: UInt64, hasFaults: Bool, _ change: (inout SimulationOptions) -> Void = { _ in }
    ) -> ClusterSimulation {
        var options = SimulationOptions(seed: seed, hasFaults: hasFaults)
        change(&options)
        var simulation = ClusterSimulation(options)
        simulation.run()
        return simulation
    }

    @Test func undisturbedClusters() {
        var preemptionCount = 0
        var cachedTokenCount = 0
        var severalCount = 0
        var moveCount = 0
        for seed in Self.seeds {
            let simulation = run(seed, hasFaults: false)
            #expect(simulation.problems.isEmpty)
            if simulation.statistics.busyPipelineCount > simulation.options.modelCount { severalCount += 1 }
            moveCount += simulation.statistics.moveCount
            preemptionCount += simulation.statistics.preemptionCount
            cachedTokenCount += simulation.statistics.cachedTokenCount
        }
        // The pools are small enough to make room in.
        #expect(preemptionCount >= Self.seeds.count / 4)
        #expect(cachedTokenCount >= Self.seeds.count * 10)
        // Replicas share the work, and those put back at one go on at another.
        #expect(severalCount >= Self.seeds.count / 8)
        #expect(moveCount > 0)
    }

    @Test func clustersWithFaults() {
        var interruptedCount = 0
        for seed in Self.seeds {
            let simulation = run(seed, hasFaults: true)
            #expect(simulation.problems.isEmpty)
            interruptedCount += simulation.statistics.interruptedCount
        }
        #expect(interruptedCount >= Self.seeds.count / 2)
    }

    @Test func oneSeedIsOneCourse() {
        for seed in UInt64(1)...5 {
            let runs = (0..<2).map { _ in run(seed, hasFaults: true) }
            #expect(runs[0].now == runs[1].now)
            #expect(runs[0].statistics == runs[1].statistics)
        }
    }

    /// A simulation that finds nothing may just be blind.
    @Test(arguments: PlantedBug.allCases) func aPlantedBugIsFound(_ bug: PlantedBug) throws {
        let found = (UInt64(1)...1_000).lazy.map { seed in
            run(seed, hasFaults: false) { $0.plantedBug = bug }
        }.first { !$0.problems.isEmpty }
        let simulation = try #require(found)
        // Replays exactly, and is the bug's doing.
        let again = run(simulation.options.seed, hasFaults: false) { $0.plantedBug = bug }
        #expect(again.problems == simulation.problems)
        #expect(run(simulation.options.seed, hasFaults: false).problems.isEmpty)
    }
}
