import ArgumentParser
import Memory
import ModelWriting
import Models
import Tensors

/// `shardline-bench dequantise`: a model with its weights in another format, F32 unless told otherwise.
struct DequantiseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dequantise",
        abstract: "Writes a model's exact weights as F32, or brings them into another format.",
        discussion: """
            The metadata stays as it is, but for the file type. Quantisation here takes the nearest level of simply \
            chosen scales: other programs lose less.
            """)

    @Argument(help: "The model to read.")
    var input: String

    @Argument(help: "The file to write.")
    var output: String

    @Option(help: "Format of the matrices: \(FormatMix.names.joined(separator: ", ")).")
    var format = "F32"

    @Option(help: "Format of the head (default: the mix's).")
    var outputFormat: String?

    func run() throws {
        let mix = try FormatChoice.mix(format, output: outputFormat)
        let context = try ComputeContext(threadCount: NumaTopology.cpus.count)
        let file = try ModelFile(path: input)
        let seconds = try Stopwatch.seconds {
            try ModelCopy(of: file, mix: mix, context: context).write(to: output)
        }
        let copy = try ModelFile(path: output)
        Progress.say("\(output): \(copy.byteCount >> 20) MiB in \(Decimals.text(seconds, 1)) s")
    }
}
