import ArgumentParser
import Vocabulary

@main
struct ShardlineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shardline",
        abstract: "Serves large language models on a cluster of ordinary machines.",
        version: ProgramVersion.text,
        subcommands: [
            LocalCommand.self, ServeCommand.self, TopologyCommand.self, ChatCommand.self, GenerateCommand.self,
            TokenCommand.self, OperatorCommand.self, CertificateCommand.self,
        ])

    static func main() async {
        await ProgramEnvironment.run(ShardlineCommand.self)
    }
}
