import ArgumentParser
import LoadTest

/// How many requests there are, and when.
struct TrafficFlags: ParsableArguments {
    @Option(help: "How many requests are sent; with --turns, conversations (default: 100, or all of the trace).")
    var numPrompts: Int?

    @Option(
        help: "Send nothing more after this time (90s, 10m), and wait for what runs.", transform: FlagValue.duration)
    var duration: LoadDuration?

    @Option(
        help: """
            How many requests run at once: the streams of a closed loop. With --request-rate or --trace a bound; the \
            report tells when it was reached (default: no limit, or what file descriptors allow).
            """)
    var maxConcurrency: Int?

    @Option(
        help: """
            An open loop: requests per second (4, 4/s, 90/min) at random moments (a Poisson process), whatever the \
            server does; latencies count from those moments. inf: a closed loop, even with --trace.
            """, transform: FlagValue.rate)
    var requestRate: RequestRate?

    @Option(
        help: "Send this many requests that are due (fewer, if no more are), wait for all of them, send the next.")
    var staticBatch: Int?

    @Option(help: "Each request is a chat of so many turns; needs --endpoint chat.")
    var turns = 1

    @Option(
        help: "The mean time from an answer to the next turn (exponentially distributed).",
        transform: FlagValue.duration)
    var thinkTime = LoadDuration(nanoseconds: 0)

    @Option(help: "The part of the requests (0 to 1) whose client goes away after a random number of tokens.")
    var disconnect = 0.0

    @Option(
        help: """
            TOKENS@TIME, for example 4096@10s: a long prompt that arrives so long after the start, beside all limits; \
            the others' latencies are shown before, while and after it is processed. May be given several times.
            """, transform: FlagValue.injection)
    var injectPrompt: [PromptInjection] = []

    @Option(
        help: "How long the phase 'warm-up' of the report is (default: until all first streams have a token).",
        transform: FlagValue.duration)
    var warmUp: LoadDuration?

    func validate() throws {
        try check((1...10_000_000).contains(numPrompts ?? 1), "--num-prompts must be from 1 to 10000000")
        try check((1...100_000).contains(maxConcurrency ?? 1), "--max-concurrency must be from 1 to 100000")
        try check((1...100_000).contains(staticBatch ?? 1), "--static-batch must be from 1 to 100000")
        try check(duration.map { $0.nanoseconds > 0 } ?? true, "--duration must be above 0")
        try check((1...64).contains(turns), "--turns must be from 1 to 64")
        try check((0...1).contains(disconnect), "--disconnect must be from 0 to 1")
        try check(
            staticBatch == nil || maxConcurrency == nil,
            "--static-batch says how many requests run at once; leave out --max-concurrency")
        try check(staticBatch == nil || turns == 1, "--static-batch does not go with --turns")
    }
}
