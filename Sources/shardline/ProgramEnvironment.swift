import ArgumentParser
import ConfigurationFile
import Foundation
import Identity

/// Flags from the environment, and the exit status that says what kind of error it was: 64 usage, 78 a bad file or
/// setting, 1 the rest.
enum ProgramEnvironment {
    /// The flags of each subcommand, which are also what its environment may set.
    static let twins: [String: EnvironmentDefaults] = [
        "local": EnvironmentDefaults(
            serving + [
                .option("model", short: "m"), .option("nodes"), .option("threads", short: "t"), .option("port"),
                .option("cluster-port"), .option("served-model-name"), .option("weight-cache"), .toggle("insecure"),
            ]),
        "serve": EnvironmentDefaults(
            serving + [
                .option("config"), .option("data-directory"), .option("certificate"), .option("key"),
                .option("authority"), .option("certificate-lifetime"), .toggle("insecure"),
            ]),
        "topology": EnvironmentDefaults([
            .option("coordinator"), .option("credentials"), .option("data-directory"), .toggle("json"),
            .toggle("insecure"),
        ]),
        "token": authority, "operator": authority, "certificate": authority,
        "chat": EnvironmentDefaults(asking + [.option("system")]),
        "generate": EnvironmentDefaults(asking + [.toggle("chat"), .toggle("timings")]),
    ]

    /// Of all commands that work on the coordinator's data directory.
    private static let authority = EnvironmentDefaults([.option("data-directory"), .option("config")])

    private static let serving: [EnvironmentDefaults.Flag] = [
        .option("ctx-size", short: "c"), .option("replicas"), .option("max-num-seqs"), .option("step-rows"),
        .option("kv-cache-tokens"), .option("instruction-set"), .option("log-level"),
    ]

    private static let asking: [EnvironmentDefaults.Flag] = [
        .option("url"), .option("served-model-name"), .option("max-tokens"), .option("temperature"), .option("seed"),
    ]

    /// For the end of a subcommand's help.
    static func help(_ subcommand: String) -> String { twins[subcommand]?.helpText ?? "" }

    static func run(_ program: any AsyncParsableCommand.Type) async -> Never {
        do {
            var arguments = Array(CommandLine.arguments.dropFirst())
            if let name = arguments.first, let twins = twins[name] {
                arguments = try twins.merge(into: arguments, environment: ProcessInfo.processInfo.environment)
            }
            var command = try program.parseAsRoot(arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Foundation.exit(0)
        } catch let error as EnvironmentDefaults.Failure {
            fail(error, status: 64)
        } catch let error as BadConfiguration {
            fail(error, status: 78)
        } catch let error as ConfigurationError {
            fail(error, status: 78)
        } catch let error as IdentityError {
            fail(error, status: 78)
        } catch  where program.exitCode(for: error) != .failure {
            program.exit(withError: error)
        } catch {
            fail(error, status: 1)
        }
    }

    private static func fail(_ error: any Error, status: Int32) -> Never {
        FileHandle.standardError.write(Data("error: \(error)\n".utf8))
        Foundation.exit(status)
    }
}
