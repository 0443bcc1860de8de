import ArgumentParser
import Foundation
import LoadTest

/// What is asked.
struct PromptFlags: ParsableArguments {
    @Option(help: "Send this text instead of random prompts.")
    var prompt: String?

    @Option(help: "Tokens of a random prompt. Words are sent to the chat endpoint, as many as the server counts so.")
    var randomInputLen = 128

    @Option(help: "The most tokens of an answer.")
    var randomOutputLen = 128

    @Option(help: "Random token ids are below this.")
    var randomVocabSize = 30_000

    @Flag(help: "Send words instead of token ids to the completions endpoint, too.")
    var randomWords = false

    @Option(help: "Words of each turn after the first (default: --random-input-len).")
    var turnInputLen: Int?

    @Option(help: "The part of the requests (0 to 1) whose prompts begin with a common prefix; their length stays.")
    var sharedPrefixShare = 0.0

    @Option(help: "Tokens of a common prefix.")
    var sharedPrefixLen = 64

    @Option(help: "How many different common prefixes there are.")
    var sharedPrefixCount = 1

    @Option(
        help: """
            A CSV file with the columns TIMESTAMP,ContextTokens,GeneratedTokens (the form of the Azure LLM inference \
            traces): lengths, and without --request-rate the moments, are taken from it.
            """)
    var trace: String?

    @Option(help: "Moments of the trace are multiplied by this: 0.1 is ten times as fast.")
    var timeScale = 1.0

    @Option(help: "Lengths of the trace are multiplied by this.")
    var lengthScale = 1.0

    @Option(help: "Longer prompts of the trace are cut to so many tokens.")
    var inputLenMax: Int?

    @Option(help: "Longer answers of the trace are cut to so many tokens.")
    var outputLenMax: Int?

    @Flag(help: "Have answers go on after an end-of-generation token, up to their full length.")
    var ignoreEos = false

    @Option(help: "0 takes the likeliest token.")
    var temperature = 0.0

    @Option(help: "Of prompts, arrival times and sampling: the same seed is the same test.")
    var seed: UInt64 = 0

    func validate() throws {
        func checkLength(_ value: Int?, _ flag: String) throws {
            try check((1...1_000_000).contains(value ?? 1), "\(flag) must be from 1 to 1000000")
        }
        try checkLength(randomInputLen, "--random-input-len")
        try checkLength(randomOutputLen, "--random-output-len")
        try checkLength(turnInputLen, "--turn-input-len")
        try checkLength(sharedPrefixLen, "--shared-prefix-len")
        try checkLength(sharedPrefixCount, "--shared-prefix-count")
        try checkLength(inputLenMax, "--input-len-max")
        try checkLength(outputLenMax, "--output-len-max")
        try check((2...10_000_000).contains(randomVocabSize), "--random-vocab-size must be from 2 to 10000000")
        try check(temperature >= 0 && temperature.isFinite, "--temperature must be 0 or more")
        try check((0...1).contains(sharedPrefixShare), "--shared-prefix-share must be from 0 to 1")
        try check(timeScale >= 0 && timeScale <= 1e6, "--time-scale must be from 0 to 1000000")
        try check(lengthScale > 0 && lengthScale <= 1e6, "--length-scale must be above 0 and at most 1000000")
        if sharedPrefixShare > 0, trace == nil {
            try check(prompt == nil, "--shared-prefix-share needs random prompts; leave out --prompt")
            try check(
                sharedPrefixLen < randomInputLen,
                "--shared-prefix-len (\(sharedPrefixLen)) must be below --random-input-len (\(randomInputLen)): "
                    + "the prefix is a part of the prompt")
        }
        try check(trace == nil || prompt == nil, "--trace needs random prompts; leave out --prompt")
    }

    var promptKind: LoadPlan.Prompt {
        if let prompt { return .text(prompt) }
        return randomWords
            ? .words(tokenCount: randomInputLen)
            : .random(tokenCount: randomInputLen, vocabularySize: randomVocabSize)
    }

    /// The trace's rows; none without a trace.
    func traceRows() throws -> [TraceRow] {
        guard let trace else { return [] }
        let bytes = try InputFile.bytes(trace, flag: "--trace")
        do { return try RequestTrace.rows(csv: bytes) } catch { throw InputFile.Failure("--trace \(trace), \(error)") }
    }
}
