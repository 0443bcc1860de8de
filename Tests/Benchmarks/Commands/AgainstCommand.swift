import ArgumentParser
import Memory
import Models
import Tensors

/// `shardline-bench against`: the same work with this program and with llama.cpp, in turn.
struct AgainstCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "against",
        abstract: "Measures a model with this program and with llama.cpp's benchmarks, in turn.",
        discussion: """
            Prompts and decoding run llama-bench, batches and contexts llama-batched-bench; each run is a process of \
            its own. For each work, first both of its flash-attention settings are tried, and the faster is taken; \
            then come the pairs, ours and theirs first by turns, the peak loop before, between and after. A pair \
            whose peaks differ by over 10 % is measured again. The file is brought into the page cache before each \
            run. Neither side samples; ours finds the likeliest token of each step.

            To build the peer (once, outside this repository):

              pip download --no-binary llama-cpp-python --no-deps llama-cpp-python==0.3.36
              tar xf llama_cpp_python-0.3.36.tar.gz && cd llama_cpp_python-0.3.36/vendor/llama.cpp
              cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF
              ninja -C build llama-bench llama-batched-bench

            and give its build/bin as --llama-bin. To keep both on some CPUs, run this under taskset. Where the
            processor has AMX, GCC 12 drops the tile configuration that llama.cpp writes, and its programs end with an
            illegal instruction: put asm volatile("" :: "r"(&tc) : "memory"); before _tile_loadconfig in
            ggml-cpu/amx/mmq.cpp.
            """)

    static let defaultWorks = ["prompt256", "prompt512", "decode", "batch16", "context4096"].compactMap { Work($0) }

    @Argument(help: "What to measure against: llama.cpp.")
    var peer: String

    @Argument(help: "The model's GGUF file.")
    var path: String

    @Option(help: "Folder of llama.cpp's programs and libraries.")
    var llamaBin: String

    @Option(help: "Numbers of threads, each for both sides.")
    var threads = NumberList([1, 2])

    @Option(help: "What to measure: promptN, decode, batchN, contextN.")
    var work = WorkList(Self.defaultWorks)

    @Option(help: "Pairs of which the median is taken.")
    var pairs = 7

    @Option(help: "Tokens of a sequence that are timed when decoding.")
    var tokens = 32

    @OptionGroup var kernels: KernelOption
    @OptionGroup var output: ReportOutput

    func validate() throws {
        guard peer == "llama.cpp" else { throw ValidationError("Only llama.cpp can be measured against.") }
        guard pairs > 0, (1...4096).contains(tokens) else {
            throw ValidationError("--pairs must be 1 or more, --tokens 1 to 4096.")
        }
        guard threads.values.allSatisfy({ $0 > 0 }) else { throw ValidationError("--threads must be 1 or more.") }
        for work in work.works where work.kind == .load || work.kind == .memory {
            throw ValidationError("\(work) is not measured against another program.")
        }
        for work in work.works where work.kind == .context && work.count <= tokens {
            throw ValidationError("\(work) must be longer than the \(tokens) tokens that are timed.")
        }
    }

    func run() throws {
        let llama = try LlamaCpp(
            folder: llamaBin, model: path, tokenCount: tokens, fillingThreadCount: NumaTopology.cpus.count,
            works: work.works)
        try ResidentFile.ensure(path)
        let file = try ModelFile(path: path)
        let description = try ModelDescription(file)
        for work in work.works {
            if let refusal = ModelSession.refusal(of: work, description: description, tokenCount: tokens) {
                throw BenchmarkError("\(refusal); leave it out with --work")
            }
        }
        let counts = ModelCounts(file: file, description: description)
        let contexts = try threads.values.map {
            try ComputeContext(threadCount: $0, instructionSet: kernels.value)
        }
        guard let widest = contexts.max(by: { $0.threadCount < $1.threadCount }) else { return }
        let weights = try ModelSession.load(file, description: description, context: widest)
        let memory = try MachineLoops.readable(byteCount: counts.tokenByteCount, context: widest)
        var report = AgainstReport(
            instructionSet: kernels.value.rawValue, model: path, fileByteCount: file.byteCount,
            tokenByteCount: counts.tokenByteCount)
        for context in contexts {
            let session = try ModelSession(
                weights: weights, context: context, works: work.works, tokenCount: tokens)
            let loops = MachineLoops(context: context, memory: memory, instructionSet: kernels.value)
            Progress.say("\(context.threadCount) thread(s): filling caches")
            try session.prepare(work.works)
            _ = loops.readRate()
            let turns = TakingTurns(path: path, session: session, loops: loops, llama: llama, counts: counts)
            for work in work.works {
                let (series, flash) = try turns.measure(work, pairCount: pairs)
                report.add(work, threads: context.threadCount, series, flash: flash, counts: counts)
            }
        }
        try output.write(report, text: report.text)
    }
}
