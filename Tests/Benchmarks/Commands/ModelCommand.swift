import ArgumentParser
import Models
import Tensors

/// `shardline-bench model`: a whole model in this process.
struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Measures a whole model in one process: loading, memory, prompts, decoding.",
        discussion: """
            Works: load; memory; promptN, a prompt of N tokens; decode, one sequence from its beginning; batchN, N \
            sequences at once; contextN, one sequence up to N positions. Works and loops take turns; figures are \
            medians, shares are medians of the rounds' ratios.
            """)

    static let defaultWorks = [
        "load", "memory", "prompt256", "prompt512", "decode", "batch2", "batch4", "batch8", "batch16", "batch32",
        "context1024", "context4096", "context8192",
    ].compactMap { Work($0) }

    @Argument(help: "The model's GGUF file.")
    var path: String

    @Option(help: "Numbers of threads.")
    var threads = NumberList([1, 2])

    @Option(help: "What to measure.")
    var work = WorkList(Self.defaultWorks)

    @Option(help: "Tokens of a sequence that are timed when decoding.")
    var tokens = 16

    @Option(help: "Rounds of which the median is taken.")
    var rounds = 5

    @OptionGroup var kernels: KernelOption

    @OptionGroup var output: ReportOutput

    func validate() throws {
        guard rounds > 0, (1...4096).contains(tokens) else {
            throw ValidationError("--rounds must be 1 or more, --tokens 1 to 4096.")
        }
        guard threads.values.allSatisfy({ $0 > 0 }) else { throw ValidationError("--threads must be 1 or more.") }
    }

    func run() throws {
        try ResidentFile.ensure(path)
        let file = try ModelFile(path: path)
        let description = try ModelDescription(file)
        let counts = ModelCounts(file: file, description: description)
        var report = ModelReport(
            model: path, fileByteCount: file.byteCount, counts: counts, instructionSet: kernels.value)
        let contexts = try threads.values.map {
            try ComputeContext(threadCount: $0, instructionSet: kernels.value)
        }
        guard let widest = contexts.max(by: { $0.threadCount < $1.threadCount }) else { return }
        // First, while nothing else is in memory.
        if work.works.contains(where: { $0.kind == .memory }) {
            Progress.say("memory")
            report.memory = try MemoryFigures.measure(path: path, context: widest)
        }
        if work.works.contains(where: { $0.kind == .load }) {
            for context in contexts { report.loads.append(try load(context)) }
        }
        let works = usable(work.works, description)
        if !works.isEmpty {
            let weights = try ModelSession.load(file, description: description, context: widest)
            let memory = try MachineLoops.readable(byteCount: counts.tokenByteCount, context: widest)
            for context in contexts {
                let loops = MachineLoops(context: context, memory: memory, instructionSet: kernels.value)
                let session = try ModelSession(
                    weights: weights, context: context, works: works, tokenCount: tokens)
                try measure(works, session, loops, counts, &report)
            }
        }
        try output.write(report, text: report.text)
    }

    /// The works of a session, without those that do not fit the model, and with decoding where contexts need it.
    private func usable(_ works: [Work], _ description: ModelDescription) -> [Work] {
        var usable = works.filter { work in
            guard work.kind != .load, work.kind != .memory else { return false }
            guard let refusal = ModelSession.refusal(of: work, description: description, tokenCount: tokens) else {
                return true
            }
            Progress.say("left out: \(refusal)")
            return false
        }
        if usable.contains(where: { $0.kind == .context }), !usable.contains(where: { $0.kind == .decode }),
            let decode = Work("decode")
        {
            usable.insert(decode, at: 0)
        }
        return usable
    }

    private func load(_ context: ComputeContext) throws -> ModelReport.Load {
        var times: [Double] = []
        var byteCount = 0
        for _ in 0..<min(rounds, 3) {
            try ResidentFile.ensure(path)
            Progress.say("load with \(context.threadCount) thread(s)")
            times.append(
                try Stopwatch.seconds {
                    let file = try ModelFile(path: path)
                    let description = try ModelDescription(file)
                    _ = try ModelSession.load(file, description: description, context: context)
                    byteCount = file.byteCount
                })
        }
        let seconds = Statistics.median(times)
        return .init(
            threads: context.threadCount, seconds: seconds, bytesPerSecond: Double(byteCount) / seconds)
    }

    private func measure(
        _ works: [Work], _ session: ModelSession, _ loops: MachineLoops, _ counts: ModelCounts,
        _ report: inout ModelReport
    ) throws {
        let threads = session.context.threadCount
        Progress.say("\(threads) thread(s): filling caches")
        try session.prepare(works)
        _ = loops.readRate()
        for work in works { _ = try session.measure(work) }
        var samples = works.map { _ in [WorkSample]() }
        for round in 1...rounds {
            Progress.say("\(threads) thread(s): round \(round) of \(rounds)")
            for (index, work) in works.enumerated() {
                let (read, peak) = (loops.readRate(), loops.multiplyRate(counts.arithmetic))
                let (seconds, tokenCount, stepCount) = try session.measure(work)
                samples[index].append(
                    WorkSample(
                        seconds: seconds, tokenCount: tokenCount, stepCount: stepCount, readBytesPerSecond: read,
                        peakMultiplyAddsPerSecond: peak))
            }
        }
        let short = works.firstIndex { $0.kind == .decode }.map { samples[$0] } ?? []
        for (index, work) in works.enumerated() {
            report.add(work, threads: threads, samples: samples[index], short: short, counts: counts)
        }
    }
}
