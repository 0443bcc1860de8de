import ArgumentParser

/// What the coordinator costs for each token; built and run by tools/bench-core.
@main struct CoreBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tools/bench-core", abstract: "Measures what the coordinator costs for each token.",
        subcommands: [DecisionCommand.self, LanesCommand.self, StagesCommand.self],
        defaultSubcommand: DecisionCommand.self)
}
