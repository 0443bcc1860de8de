import ArgumentParser
import OpenAIClient

/// Flags that `chat` and `generate` share.
struct AskingOptions: ParsableArguments {
    @Option(name: .long, help: "The server.")
    var url = "http://127.0.0.1:8080"

    @Option(name: .long, help: "The model to ask for (default: the first the server lists).")
    var servedModelName: String?

    @Option(name: .long, help: "The longest answer, in tokens (default: what the context has room for).")
    var maxTokens: Int?

    @Option(name: .long, help: "0 takes the likeliest token.")
    var temperature: Double = 0

    @Option(name: .long, help: "Makes a sampled answer repeatable.")
    var seed: UInt64?

    func validateLimits() throws {
        if let maxTokens, maxTokens < 1 { throw ValidationError("--max-tokens must be at least 1, not \(maxTokens)") }
        guard (0...2).contains(temperature) else {
            throw ValidationError("--temperature must be 0 to 2, not \(temperature)")
        }
        do { _ = try ServerURL(url) } catch { throw ValidationError("--url: \(error)") }
    }

    func client() throws -> OpenAIClient { OpenAIClient(server: try ServerURL(url)) }

    func model(of client: OpenAIClient) async throws -> String {
        if let servedModelName { return servedModelName }
        return try await client.firstModel()
    }

    var generation: GenerationOptions {
        var options = GenerationOptions()
        options.outputTokenCountMax = maxTokens
        options.temperature = temperature
        options.seed = seed
        return options
    }
}
