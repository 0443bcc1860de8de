import ArgumentParser
import Foundation
import Memory
import ModelWriting
import Models
import Tensors

/// `shardline-bench write`: a model of any shape and format, with random weights.
struct WriteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Writes a model of the llama architecture with random weights.",
        discussion: """
            Matrices are normal with a standard deviation of 0.02, norms are ones: logits are finite and of the order \
            of 1 in any program. The sizes below are those of a model of 1.07 billion weights. The same seed gives \
            the same file.
            """)

    @Argument(help: "The file to write.")
    var path: String

    @Option(help: "Transformer layers.")
    var layers = 16

    @Option(help: "Width of the hidden states.")
    var hidden = 2048

    @Option(help: "Width of the feed-forward network.")
    var feedForward = 8192

    @Option(help: "Attention heads.")
    var heads = 32

    @Option(help: "Heads of keys and values.")
    var kvHeads = 8

    @Option(help: "Width of a head.")
    var headSize = 64

    @Option(help: "Tokens of the vocabulary (default: the tokenizer's of --tokenizer-from, else 49152).")
    var vocabulary: Int?

    @Option(help: "Positions of the context.")
    var context = 8192

    @Option(help: "Format of the matrices: \(FormatMix.names.joined(separator: ", ")).")
    var format = "Q4_0"

    @Option(help: "Format of the head (default: the mix's; llama-quantize takes Q6_K with most formats).")
    var outputFormat: String?

    @Flag(help: "Give the head a matrix of its own; without, it is the embedding.")
    var untied = false

    @Option(help: "Take the tokenizer of this model (default: one made up of bytes and their combinations).")
    var tokenizerFrom: String?

    @Option(help: "Seed of the weights.")
    var seed: UInt64 = 1

    func validate() throws {
        let sizes = [
            ("--layers", layers, 1024), ("--hidden", hidden, 1 << 17), ("--feed-forward", feedForward, 1 << 20),
            ("--heads", heads, 4096), ("--kv-heads", kvHeads, 4096), ("--head-size", headSize, 1024),
            ("--context", context, 1 << 24), ("--vocabulary", vocabulary ?? 1, 1 << 22),
        ]
        for (name, value, most) in sizes where !(1...most).contains(value) {
            throw ValidationError("\(name) must be from 1 to \(most).")
        }
        guard heads % kvHeads == 0 else { throw ValidationError("--kv-heads must divide --heads.") }
        guard headSize % 2 == 0 else { throw ValidationError("--head-size must be even.") }
    }

    func run() throws {
        let tokenizer = try readTokenizer()
        let shape = LlamaShape(
            layerCount: layers, hiddenSize: hidden, feedForwardSize: feedForward, headCount: heads,
            kvHeadCount: kvHeads, headSize: headSize, vocabularySize: tokenizer.vocabularySize, contextLength: context)
        let mix = try FormatChoice.mix(format, output: outputFormat)
        let model = RandomLlama(shape: shape, mix: mix, isTied: !untied, seed: seed)
        let compute = try ComputeContext(threadCount: NumaTopology.cpus.count)
        let name = (path as NSString).lastPathComponent.replacing(".gguf", with: "")
        let seconds = try Stopwatch.seconds {
            try model.write(to: path, name: name, tokenizer: tokenizer.keys, context: compute)
        }
        let file = try ModelFile(path: path)
        _ = try ModelDescription(file)
        Progress.say("\(path): \(file.byteCount >> 20) MiB in \(Decimals.text(seconds, 1)) s")
    }

    private func readTokenizer() throws -> (vocabularySize: Int, keys: [(name: String, value: GGUFValue)]) {
        guard let tokenizerFrom else {
            let size = vocabulary ?? 49_152
            guard size >= SyntheticTokenizer.sizeMin else {
                throw ValidationError(
                    "--vocabulary must be \(SyntheticTokenizer.sizeMin) or more: a token for each byte, and an end.")
            }
            return (size, SyntheticTokenizer.keys(size: size))
        }
        let file = try ModelFile(path: tokenizerFrom)
        guard let count = file.metadata["tokenizer.ggml.tokens"]?.array?.count, count > 0 else {
            throw ValidationError("\(tokenizerFrom) has no tokenizer.")
        }
        if let vocabulary, vocabulary != count {
            throw ValidationError("The tokenizer has \(count) tokens; leave --vocabulary out.")
        }
        return (count, try GGUFMetadata.read(tokenizerFrom).filter { $0.name.hasPrefix("tokenizer.") })
    }
}
