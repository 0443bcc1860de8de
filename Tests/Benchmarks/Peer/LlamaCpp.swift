import Foundation

/// llama.cpp's own benchmarks of a model.
package struct LlamaCpp {
    /// Of the programs and their libraries.
    let folder: String
    let model: String
    /// Tokens of a sequence that are timed when decoding.
    let tokenCount: Int
    /// Threads for filling a context that is not timed.
    let fillingThreadCount: Int

    private static let benchName = "llama-bench"
    private static let batchedName = "llama-batched-bench"

    /// - Throws: when the programs that `works` need are not there.
    init(folder: String, model: String, tokenCount: Int, fillingThreadCount: Int, works: [Work]) throws {
        self.folder = folder
        self.model = model
        self.tokenCount = tokenCount
        self.fillingThreadCount = fillingThreadCount
        var needed = [Self.benchName]
        if works.contains(where: { $0.kind == .batch || $0.kind == .context }) { needed.append(Self.batchedName) }
        for name in needed where !FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
            throw BenchmarkError(
                "\(folder) has no \(name); build it there: ninja -C BUILD_FOLDER \(name)")
        }
    }

    /// Tokens a second over all sequences, of one run in a process of its own, warmed up as llama.cpp does it.
    func tokensPerSecond(_ work: Work, threads: Int, flashAttention: Bool) throws -> Double {
        let shared = ["-m", model, "-t", "\(threads)", "-fa", flashAttention ? "on" : "off"]
        switch work.kind {
        case .load, .memory: throw BenchmarkError("\(work) is not measured against another program")
        case .prompt: return try bench(shared + ["-p", "\(work.count)", "-n", "0"])
        case .decode: return try bench(shared + ["-p", "0", "-n", "\(tokenCount)"])
        case .batch:
            // llama.cpp computes rows of several sequences with the threads that it has for prompts.
            return try batched(
                shared + ["-tb", "\(threads)"], sequences: work.count, promptLength: ModelSession.batchPromptLength,
                tokens: tokenCount)
        case .context:
            let tokens = min(tokenCount, work.count - 1)
            return try batched(
                shared + ["-tb", "\(fillingThreadCount)"], sequences: 1, promptLength: work.count - tokens,
                tokens: tokens)
        }
    }

    private func bench(_ arguments: [String]) throws -> Double {
        let output = try ProgramRun.output(
            of: "\(folder)/\(Self.benchName)", arguments + ["-r", "1", "-o", "json"], libraryFolder: folder)
        return try Self.benchRate(output)
    }

    private func batched(_ arguments: [String], sequences: Int, promptLength: Int, tokens: Int) throws -> Double {
        // Whole multiples of 256 positions for each sequence, as its cache is cut.
        let positions = (promptLength + tokens + 255) / 256 * 256
        let own = [
            "-npp", "\(promptLength)", "-ntg", "\(tokens)", "-npl", "\(sequences)", "-c", "\(positions * sequences)",
            "--output-format", "jsonl",
        ]
        let output = try ProgramRun.output(
            of: "\(folder)/\(Self.batchedName)", arguments + own, libraryFolder: folder)
        return try Self.batchedRate(output)
    }

    // MARK: Reading their output

    /// Of `llama-bench -o json`: an array with one object.
    package static func benchRate(_ output: String) throws -> Double {
        struct Result: Decodable {
            let avg_ts: Double
        }
        guard let result = try? JSONDecoder().decode([Result].self, from: Data(output.utf8)).first, result.avg_ts > 0
        else { throw notUnderstood(benchName, output) }
        return result.avg_ts
    }

    /// Of `llama-batched-bench --output-format jsonl`: a line with an object, among others.
    package static func batchedRate(_ output: String) throws -> Double {
        struct Result: Decodable {
            let speed_tg: Double
        }
        let line = output.split(separator: "\n").last { $0.hasPrefix("{") } ?? ""
        guard let result = try? JSONDecoder().decode(Result.self, from: Data(line.utf8)), result.speed_tg > 0 else {
            throw notUnderstood(batchedName, output)
        }
        return result.speed_tg
    }

    private static func notUnderstood(_ name: String, _ output: String) -> BenchmarkError {
        BenchmarkError("the output of \(name) is not understood; it wrote: \(output.prefix(500))")
    }
}
