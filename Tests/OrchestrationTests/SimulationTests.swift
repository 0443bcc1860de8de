import Foundation
import Testing

/// `SHARDLINE_SIMULATION_SEEDS=5000` runs so many seeds of each kind instead of the few that fit a quick test run.
@Suite struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    #if DEBUG
    private static let usualSeedCount: UInt64 = 60
    #else
    private static let usualSeedCount: UInt64 = 300
    #endif
    private static let seeds: ClosedRange<UInt64> =
        1...max(1, environment["SHARDLINE_SIMULATION_SEEDS"].flatMap { UInt64($0) } ?? usualSeedCount)

    @Test func undisturbedClusters() {
        var preemptionCount = 0
        for seed in Self.seeds {
            var simulation = ClusterSimulation(SimulationOptions(seed: seed, hasFaults: false))
            simulation.run()
            #expect(simulation.problems.isEmpty)
            preemptionCount += simulation.statistics.preemptionCount
        }
        // The pools are small enough to make room in.
        #expect(preemptionCount >= Self.seeds.count / 4)
    }

    @Test func clustersWithFaults() {
        var interruptedCount = 0
        for seed in Self.seeds {
            var simulation = ClusterSimulation(SimulationOptions(seed: seed, hasFaults: true))
            simulation.run()
            #expect(simulation.problems.isEmpty)
            interruptedCount += simulation.statistics.interruptedCount
        }
        #expect(interruptedCount >= Self.seeds.count / 2)
    }

    /// Replays one seed aloud: `SHARDLINE_SIMULATION_SEED=42 swift test --filter replaysASeed`.
    @Test(.enabled(if: environment["SHARDLINE_SIMULATION_SEED"] != nil))
    func replaysASeed() throws {
        let seed = try #require(Self.environment["SHARDLINE_SIMULATION_SEED"].flatMap { UInt64($0) })
        for hasFaults in [false, true] {
            var options = SimulationOptions(seed: seed, hasFaults: hasFaults)
            options.isTraced = true
            var simulation = ClusterSimulation(options)
            simulation.run()
            #expect(simulation.problems.isEmpty)
        }
    }

    @Test func oneSeedIsOneCourse() {
        for seed in UInt64(1)...5 {
            let runs = (0..<2).map { _ in
                var simulation = ClusterSimulation(SimulationOptions(seed: seed, hasFaults: true))
                simulation.run()
                return simulation
            }
            #expect(runs[0].now == runs[1].now)
            #expect(runs[0].statistics.eventCount == runs[1].statistics.eventCount)
            #expect(runs[0].statistics.stepCount == runs[1].statistics.stepCount)
        }
    }
}
