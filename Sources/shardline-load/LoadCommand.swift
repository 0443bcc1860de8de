import ArgumentParser
import ConfigurationFile
import Foundation
import LoadTest
import OpenAIClient
import Telemetry

struct LoadCommand: AsyncParsableCommand {
    static let twins = EnvironmentDefaults([
        .option("base-url"), .option("api-key"), .option("endpoint"),
        .option("num-prompts"), .option("duration"), .option("max-concurrency"), .option("request-rate"),
        .option("static-batch"), .option("turns"), .option("think-time"), .option("disconnect"),
        .option("inject-prompt"), .option("warm-up"), .option("prompt"),
        .option("random-input-len"), .option("random-output-len"), .option("random-vocab-size"),
        .toggle("random-words"), .option("turn-input-len"), .option("shared-prefix-share"),
        .option("shared-prefix-len"), .option("shared-prefix-count"), .option("trace"), .option("time-scale"),
        .option("length-scale"), .option("input-len-max"), .option("output-len-max"),
        .toggle("ignore-eos"), .option("temperature"), .option("seed"), .option("record"), .option("verify"),
        .option("json"),
    ])

    static let configuration = CommandConfiguration(
        commandName: "shardline-load",
        abstract: "Sends requests to an OpenAI-compatible server and measures its throughput and latencies.",
        discussion: """
            The report goes to standard output. Exit codes: 0 when all requests succeeded (and, with --verify, all \
            answers are equal), 1 when some did not, 64 for a mistake in the flags, 78 for a file that cannot be \
            used. The first SIGINT or SIGTERM waits for the requests that run, the second aborts.

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

    @OptionGroup var traffic: TrafficFlags
    @OptionGroup var prompts: PromptFlags

    @Option(help: "Send the requests one at a time and write the answers to this file, for --verify.")
    var record: String?

    @Option(help: "Compare the answers with those that --record wrote to this file.")
    var verify: String?

    @Option(help: "Write the report as JSON to this file; - writes it to standard output, and the table to stderr.")
    var json: String?

    func validate() throws {
        do { _ = try ServerURL(baseUrl) } catch { throw ValidationError("--base-url: \(error)") }
        try check(traffic.turns == 1 || endpoint == .chat, "--turns needs --endpoint chat")
        try check(
            traffic.turns == 1 || prompts.trace == nil, "--turns does not go with --trace: its requests are single")
        try check(
            traffic.duration == nil || traffic.maxConcurrency != nil || traffic.staticBatch != nil
                || traffic.numPrompts != nil || traffic.requestRate?.perSecond.isFinite == true
                || (prompts.trace != nil && traffic.requestRate == nil),
            "--duration needs --max-concurrency, --static-batch, --request-rate, --trace or --num-prompts: without "
                + "one of them, there is no end to the requests that are due at once")
        try check(record == nil || verify == nil, "--record and --verify are two runs: record first, then verify")
        try check(
            record == nil || traffic.duration == nil || traffic.numPrompts != nil,
            "--record needs --num-prompts instead of --duration: how many answers it is to hold")
    }

    func run() async throws {
        do {
            let plan = try prepare()
            let reference = try reference()
            let client = OpenAIClient(server: try ServerURL(baseUrl), apiKey: apiKey)
            let completed = try await LoadSetup(client: client).complete(plan, isModelGiven: model != nil)
            let report = try await measure(completed, client, reference)
            try write(report)
            if !report.isSuccess { throw ExitCode.failure }
        } catch let failure as InputFile.Failure {
            StandardError.write("Error: \(failure)\n")
            throw ExitCode(78)
        } catch let code as ExitCode {
            throw code
        } catch {
            StandardError.write("Error: \(error)\n")
            throw ExitCode.failure
        }
    }

    /// All that can be decided without the server.
    private func prepare() throws -> LoadPlan {
        for (path, flag) in [(json, "--json"), (record, "--record")] {
            if let path, path != "-" { try InputFile.checkWritable(path, flag: flag) }
        }
        var plan = LoadPlan(
            model: model ?? "", endpoint: endpoint.endpoint, prompt: prompts.promptKind,
            requestCount: traffic.numPrompts, concurrencyMax: traffic.maxConcurrency,
            outputTokenCount: prompts.randomOutputLen, ignoresEnd: prompts.ignoreEos,
            temperature: prompts.temperature, seed: prompts.seed)
        plan.trace = try prompts.traceRows()
        plan.timeScale = prompts.timeScale
        plan.lengthScale = prompts.lengthScale
        plan.promptTokenCountMax = prompts.inputLenMax ?? .max
        plan.traceOutputTokenCountMax = prompts.outputLenMax ?? .max
        if let rate = traffic.requestRate?.perSecond {
            plan.arrivals = rate.isFinite ? .poisson(perSecond: rate) : .closed
        } else if !plan.trace.isEmpty {
            plan.arrivals = .trace
        }
        plan.durationNanoseconds = traffic.duration?.nanoseconds
        if plan.requestCount == nil, plan.durationNanoseconds == nil, plan.trace.isEmpty { plan.requestCount = 100 }
        plan.staticBatchSize = traffic.staticBatch
        plan.disconnectShare = traffic.disconnect
        plan.injections = traffic.injectPrompt
        plan.warmUpNanoseconds = traffic.warmUp?.nanoseconds
        if prompts.sharedPrefixShare > 0 {
            plan.sharedPrefix = LoadPlan.SharedPrefix(
                share: prompts.sharedPrefixShare, tokenCount: prompts.sharedPrefixLen,
                prefixCount: prompts.sharedPrefixCount)
        }
        if traffic.turns > 1 {
            plan.conversation = LoadPlan.Conversation(
                turnCount: traffic.turns, thinkSeconds: traffic.thinkTime.seconds,
                turnTokenCount: prompts.turnInputLen ?? prompts.randomInputLen)
        }
        return record == nil ? plan : plan.oneAtATime()
    }

    private func reference() throws -> ReferenceSet? {
        guard let verify else { return nil }
        let bytes = try InputFile.bytes(verify, flag: "--verify")
        do { return try ReferenceSet(jsonLines: bytes) } catch {
            throw InputFile.Failure("--verify \(verify), \(error)")
        }
    }

    private func measure(
        _ plan: LoadPlan, _ client: OpenAIClient, _ reference: ReferenceSet?
    ) async throws -> LoadReport {
        let stop = StopSignal { StandardError.write("\nwaiting for the requests that run; again to abort\n") }
        defer { withExtendedLifetime(stop) {} }
        let runner = LoadRunner(
            plan: plan, reference: reference, recordsAnswers: record != nil, target: LoadEvent.target(client))
        var onProgress: (@Sendable (LoadRunner.Progress) -> Void)?
        if StandardError.isTerminal { onProgress = { StandardError.write(Self.line($0)) } }
        let report = await runner.run(
            shouldStop: { [flag = stop.flag] in flag.wasRaised }, onProgress: onProgress)
        if StandardError.isTerminal { StandardError.write("\n") }
        return report
    }

    private static func line(_ progress: LoadRunner.Progress) -> String {
        let total = progress.requestCount.map { "/\($0)" } ?? ""
        let failed = progress.failedCount > 0 ? ", \(progress.failedCount) failed" : ""
        return "\r\(progress.finishedCount)\(total) requests, \(progress.runningCount) running\(failed)  "
    }

    private func write(_ report: LoadReport) throws {
        if let record {
            // A reference with holes would only show when it is used.
            guard report.failedCount == 0 else {
                StandardError.write("Error: \(record) is not written: \(report.failedCount) requests failed\n")
                return try writeReport(report)
            }
            let bytes = try ReferenceSet.jsonLines(report.answers)
            try Data(bytes).write(to: URL(fileURLWithPath: record), options: .atomic)
        }
        try writeReport(report)
    }

    private func writeReport(_ report: LoadReport) throws {
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
