import ArgumentParser
import ConfigurationFile
import Foundation
import Telemetry

@main
enum Program {
    static func main() async {
        let arguments: [String]
        do {
            arguments = try LoadCommand.twins.merge(
                into: Array(CommandLine.arguments.dropFirst()), environment: ProcessInfo.processInfo.environment)
        } catch {
            StandardError.write("Error: \(error)\n")
            exit(64)
        }
        await LoadCommand.main(arguments)
    }
}
