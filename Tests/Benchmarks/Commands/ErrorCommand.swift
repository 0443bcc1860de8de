import ArgumentParser
import Foundation
import Memory
import ModelWriting
import Models
import Tensors
import Vocabulary

/// `shardline-bench error`: what arithmetic with a format costs.
struct ErrorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "error",
        abstract: "Holds models' logits against runs of the same weights as F32.",
        discussion: """
            The F32 copy is written into a temporary folder (TMPDIR) and deleted again. Texts are the copy's own: each \
            begins with a random token and goes on with tokens drawn from its distribution; the model is given the \
            same tokens. What the format itself lost when the model was made is not seen, only what computing with it \
            loses.
            """)

    @Argument(help: "GGUF files.")
    var paths: [String]

    @Option(help: "Texts, computed at once.")
    var prompts = 16

    @Option(help: "Tokens of each text.")
    var tokens = 64

    @Option(help: "Seed of the texts.")
    var seed: UInt64 = 1

    @Option(help: "Compute threads (default: all CPUs).")
    var threads: Int?

    @OptionGroup var kernels: KernelOption
    @OptionGroup var output: ReportOutput

    func validate() throws {
        guard (1...1024).contains(prompts), (1...1 << 16).contains(tokens) else {
            throw ValidationError("--prompts must be 1 to 1024, --tokens 1 to 65536.")
        }
    }

    func run() throws {
        let context = try ComputeContext(
            threadCount: threads ?? NumaTopology.cpus.count, instructionSet: kernels.value)
        var report = FidelityReport()
        for path in paths {
            Progress.say(path)
            report.lines.append(try line(path, context))
        }
        try output.write(report, text: report.text)
    }

    private func line(_ path: String, _ context: ComputeContext) throws -> FidelityReport.Line {
        let file = try ModelFile(path: path)
        let copyPath = FileManager.default.temporaryDirectory
            .appending(path: "shardline-bench-\(UUID().uuidString).gguf").path
        defer { try? FileManager.default.removeItem(atPath: copyPath) }
        try ModelCopy(of: file, mix: FormatMix(base: .f32), context: context).write(to: copyPath)
        let model = try LogitSource(file, context: context, sequenceCount: prompts, positionCount: tokens)
        let copy = try ModelFile(path: copyPath)
        // It stays readable while it is open, and an interrupted run leaves nothing behind.
        try FileManager.default.removeItem(atPath: copyPath)
        let reference = try LogitSource(copy, context: context, sequenceCount: prompts, positionCount: tokens)
        var errors = LogitErrors()
        var random = NormalSource(seed: seed, stream: 0)
        let count = reference.vocabularySize
        var next = (0..<prompts).map { _ in TokenID(random.next() % UInt64(count)) }
        for position in 0..<tokens {
            let own = try model.logits(of: next, at: position)
            let wanted = try reference.logits(of: next, at: position)
            for text in 0..<prompts {
                let row = wanted + text * count
                try errors.add(model: own + text * count, reference: row, count: count, context: context)
                next[text] = draw(row, count, &random)
            }
        }
        let matrices = file.tensors.filter { $0.rows > 1 }
        let uses = Dictionary(grouping: matrices, by: \.format).mapValues(\.count)
        let formats = uses.keys.sorted { (uses[$0] ?? 0, $1.rawValue) > (uses[$1] ?? 0, $0.rawValue) }
        return .init(
            model: (path as NSString).lastPathComponent, formats: formats.map(\.name), positions: errors.positionCount,
            meanError: Statistics.mean(errors.logprobErrors),
            percentile99Error: Statistics.percentile(errors.logprobErrors, 0.99), sameTopShare: errors.sameTopShare,
            relativeError: errors.relativeError)
    }

    /// A token out of the softmax of the logits: the largest of logits plus Gumbel noise.
    private func draw(_ logits: UnsafePointer<Float>, _ count: Int, _ random: inout NormalSource) -> TokenID {
        var (best, bestValue) = (0, -Double.infinity)
        for token in 0..<count {
            let uniform = (Double(random.next() >> 11) + 0.5) * 0x1p-53
            let value = Double(logits[token]) - log(-log(uniform))
            if value > bestValue { (best, bestValue) = (token, value) }
        }
        return TokenID(best)
    }
}
