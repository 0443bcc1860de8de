import ArgumentParser

@main
struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shardline-bench",
        abstract: "Measures kernels and whole models on this machine, and writes models to measure with.",
        discussion: """
            Machines are shared and noisy. Each figure stands beside what the machine gave at that moment: a loop that \
            only reads memory, and a loop that only multiplies in registers. Compare ratios, not figures of two runs.
            """,
        subcommands: [
            KernelsCommand.self, ModelCommand.self, AgainstCommand.self, WriteCommand.self, DequantiseCommand.self,
            ErrorCommand.self,
        ])
}
