import ArgumentParser
import ConfigurationFile
import Foundation
import LoadTest
import OpenAIClient
import Telemetry

enum EndpointName: String, CaseIterable, ExpressibleByArgument {
    case completions
    case chat

    var endpoint: LoadPlan.Endpoint {
        switch self {
        case .completions: .completions
        case .chat: .chat
        }
    }
}

struct LoadCommand: AsyncParsableCommand {
    static let twins = EnvironmentDefaults([
        .option("base-url"), .option("api-key"), .option("endpoint"),
        .option("num-prompts"), .option("max-concurrency"), .option("request-rate"), .option("prompt"),
        .option("random-input-len"), .option("random-output-len"), .option("random-vocab-size"),
        .toggle("ignore-eos"), .option("temperature"), .option("seed"), .option("json"),
    ])

    static let configuration = CommandConfiguration(
        commandName: "shardline-load",
        abstract: "Sends requests to an OpenAI-compatible server and measures its throughput and latencies.",
        discussion: """
            The report goes to standard output. Exit codes: 0 when all requests succeeded, 1 when some failed, 64 for \
            a mistake in the flags. The first SIGINT or SIGTERM waits for the requests that run, the second aborts.

            \(twins.helpText)
            """)

    @Option(help: "The server, with or without /v1 at the end.")
    var baseUrl = "http://127.0.0.1:8080"

    // Without a twin: SHARDLINE_MODEL is a file's path to the other programs.
    @Option(name: [.long, .customShort("m")], help: "The model to ask for (default: the first the server lists).")
    var model: String?

    @Option(help: "Sent as a bearer token.")
    var apiKey: String?

    @Option(help: "Which endpoint is asked.")
    var endpoint = EndpointName.completions

    @Option(help: "How many requests are sent.")
    var numPrompts = 100

    @Option(help: "How many requests run at once (default: no limit).")
    var maxConcurrency: Int?

    @Option(help: "Requests per second, at random moments (a Poisson process); inf: all at once.")
    var requestRate = Double.infinity

    @Option(help: "Send this text instead of random tokens.")
    var prompt: String?

    @Option(help: "Tokens of a random prompt (for chat: words).")
    var randomInputLen = 128

    @Option(help: "The most tokens of an answer.")
    var randomOutputLen = 128

    @Option(help: "Random token ids are below this.")
    var randomVocabSize = 30_000

    @Flag(help: "Have answers go on after an end-of-generation token, up to their full length.")
    var ignoreEos = false

    @Option(help: "0 takes the likeliest token.")
    var temperature = 0.0

    @Option(help: "Of prompts, arrival times and sampling: the same seed is the same test.")
    var seed: UInt64 = 0

    @Option(help: "Write the report as JSON to this file; - writes it to standard output, and the table to stderr.")
    var json: String?

    func validate() throws {
        func check(_ isFine: Bool, _ message: String) throws {
            guard isFine else { throw ValidationError(message) }
        }
        try check((1...10_000_000).contains(numPrompts), "--num-prompts must be from 1 to 10000000")
        try check((1...100_000).contains(maxConcurrency ?? 1), "--max-concurrency must be from 1 to 100000")
        try check(requestRate > 0, "--request-rate must be above 0, or inf")
        try check((1...1_000_000).contains(randomInputLen), "--random-input-len must be from 1 to 1000000")
        try check((1...1_000_000).contains(randomOutputLen), "--random-output-len must be from 1 to 1000000")
        try check((2...10_000_000).contains(randomVocabSize), "--random-vocab-size must be from 2 to 10000000")
        try check(temperature >= 0 && temperature.isFinite, "--temperature must be 0 or more")
        do { _ = try ServerURL(baseUrl) } catch { throw ValidationError("--base-url: \(error)") }
    }

    func run() async throws {
        let client = OpenAIClient(server: try ServerURL(baseUrl), apiKey: apiKey)
        let report: LoadReport
        do {
            report = try await measure(client)
            try write(report)
        } catch {
            StandardError.write("Error: \(error)\n")
            throw ExitCode.failure
        }
        if report.failedCount > 0 || report.succeededCount == 0 { throw ExitCode.failure }
    }

    private func measure(_ client: OpenAIClient) async throws -> LoadReport {
        var servedModel = model ?? ""
        if model == nil { servedModel = try await client.firstModel() }
        let plan = LoadPlan(
            model: servedModel, endpoint: endpoint.endpoint,
            prompt: prompt.map { .text($0) }
                ?? .random(tokenCount: randomInputLen, vocabularySize: randomVocabSize),
            requestCount: numPrompts, concurrencyMax: maxConcurrency, requestRate: requestRate,
            outputTokenCount: randomOutputLen, ignoresEnd: ignoreEos, temperature: temperature, seed: seed)
        let stop = StopSignal { StandardError.write("\nwaiting for the requests that run; again to abort\n") }
        defer { withExtendedLifetime(stop) {} }
        let report = await LoadRunner(plan: plan, target: LoadEvent.target(client)).run(
            shouldStop: { [flag = stop.flag] in flag.wasRaised },
            onProgress: { progress in
                guard StandardError.isTerminal else { return }
                let failed = progress.failedCount > 0 ? ", \(progress.failedCount) failed" : ""
                StandardError.write("\r\(progress.finishedCount)/\(progress.requestCount) requests\(failed) ")
            })
        if StandardError.isTerminal { StandardError.write("\n") }
        return report
    }

    private func write(_ report: LoadReport) throws {
        guard let json else { return print(report.text(), terminator: "") }
        let text = try report.json()
        if json == "-" {
            StandardError.write(report.text())
            print(text, terminator: "")
        } else {
            print(report.text(), terminator: "")
            try text.write(toFile: json, atomically: true, encoding: .utf8)
        }
    }
}
