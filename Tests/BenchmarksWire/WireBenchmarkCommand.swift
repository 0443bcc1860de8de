import ArgumentParser

@main
struct WireBenchmarkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shardline-bench-wire",
        abstract: "Measures the transport against bare sockets that move the same bytes.",
        discussion: """
            Machines are shared and noisy: the ways take turns in the same run, and only their ratios mean something. \
            The other end is a process of its own.
            """,
        subcommands: [
            EchoCommand.self, BulkCommand.self, LinkCommand.self, CompressCommand.self, PeerCommand.self,
        ], defaultSubcommand: EchoCommand.self)
}
