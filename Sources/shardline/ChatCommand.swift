import ArgumentParser
import Foundation
import OpenAIClient

/// A conversation in the terminal.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "Talks to a running cluster; the answers stream.",
        discussion: """
            /clear begins anew, /exit or the end of the input ends.

            \(ProgramEnvironment.help("chat"))
            """)

    @OptionGroup var asking: AskingOptions

    @Option(name: .long, help: "The system message.")
    var system: String?

    func validate() throws { try asking.validateLimits() }

    func run() async throws {
        let client = try asking.client()
        var session = ChatSession(
            client: client, model: try await asking.model(of: client), systemMessage: system,
            options: asking.generation)
        let isTerminal = isatty(STDIN_FILENO) == 1
        while true {
            if isTerminal { Self.show("> ") }
            guard let line = readLine() else { break }
            let text = line.trimmingCharacters(in: .whitespaces)
            if text.isEmpty { continue }
            if text == "/exit" { break }
            if text == "/clear" {
                session.clear()
                continue
            }
            _ = try await session.send(text) { Self.show($0) }
            Self.show("\n")
        }
    }

    private static func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
