import ArgumentParser
import ConfigurationFile
import Foundation

/// What all programs do alike: flags from the environment, and the exit status that says what kind of error it was.
enum ProgramEnvironment {
    static func run(_ program: any AsyncParsableCommand.Type) async -> Never {
        do {
            var command = try program.parseAsRoot(Array(CommandLine.arguments.dropFirst()))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Foundation.exit(0)
        } catch let error as BadConfiguration {
            fail(error, status: 78)
        } catch let error as ConfigurationError {
            fail(error, status: 78)
        } catch where program.exitCode(for: error) == .validationFailure || program.exitCode(for: error) == .success {
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
