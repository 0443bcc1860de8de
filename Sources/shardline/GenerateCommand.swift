import ArgumentParser
import Foundation
import OpenAIClient

/// One prompt, one answer, streamed to standard output.
struct GenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Sends one prompt to a running cluster and streams what comes.",
        discussion: ProgramEnvironment.help("generate"))

    @Argument(help: "The prompt; - reads it from standard input.")
    var prompt: String

    @OptionGroup var asking: AskingOptions

    @Flag(name: .long, help: "Ask as a chat message, in the model's template, instead of continuing the text.")
    var chat = false

    @Flag(name: .long, help: "Say at the end, on standard error, how fast it was.")
    var timings = false

    func validate() throws { try asking.validateLimits() }

    func run() async throws {
        let client = try asking.client()
        let model = try await asking.model(of: client)
        let prompt = prompt == "-" ? Self.standardInput() : prompt
        if chat {
            var session = ChatSession(client: client, model: model, systemMessage: nil, options: asking.generation)
            let answer = try await session.send(prompt) { Self.show($0) }
            Self.show("\n")
            report(tokenCount: answer.usage?.outputTokenCount, firstSeconds: answer.firstTokenSeconds,
                totalSeconds: answer.totalSeconds)
        } else {
            try await complete(prompt, model: model, client: client)
        }
    }

    private func complete(_ prompt: String, model: String, client: OpenAIClient) async throws {
        var options = asking.generation
        // The API's own default is 16 tokens, which suits nobody at a terminal.
        options.outputTokenCountMax = options.outputTokenCountMax ?? 256
        let request = CompletionRequest(model: model, prompt: .text(prompt), options: options)
        let clock = ContinuousClock()
        let start = clock.now
        var (first, tokenCount): (Double?, Int?) = (nil, nil)
        for try await chunk in client.streamCompletion(request) {
            if first == nil { first = Self.seconds(clock.now - start) }
            for choice in chunk.choices { Self.show(choice.text) }
            if let usage = chunk.usage { tokenCount = usage.outputTokenCount }
        }
        Self.show("\n")
        report(tokenCount: tokenCount, firstSeconds: first, totalSeconds: Self.seconds(clock.now - start))
    }

    private func report(tokenCount: Int?, firstSeconds: Double?, totalSeconds: Double) {
        guard timings, let tokenCount, let firstSeconds else { return }
        let rate = Double(max(0, tokenCount - 1)) / max(totalSeconds - firstSeconds, 1e-9)
        let text = String(
            format: "%d tokens: the first after %.2f s, then %.1f a second\n", tokenCount, firstSeconds, rate)
        FileHandle.standardError.write(Data(text.utf8))
    }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    private static func standardInput() -> String {
        String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
    }

    private static func show(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}
