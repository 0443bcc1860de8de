import ArgumentParser
import Foundation

/// The core alone over two stages that answer at once: no sockets, no arithmetic.
struct DecisionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decisions", abstract: "The decisions alone, without sockets.")

    @Option(help: "Running sequences, a measurement each.")
    var running: [Int] = [10, 32, 100, 320, 1_000]

    func validate() throws {
        guard running.allSatisfy((1...10_000).contains) else { throw ValidationError("--running must be 1 to 10000") }
    }

    func run() {
        print("| running sequences | µs a token | µs a request of 32 tokens | requests a second |")
        print("| --- | --- | --- | --- |")
        for runningCount in running {
            var load = CoreLoad(runningCount: runningCount)
            load.run(tokenCount: 100_000)
            let before = load.totals
            load.run(tokenCount: 300_000)
            let tokenCount = Double(load.totals.tokenCount - before.tokenCount)
            let requestCount = Double(load.totals.requestCount - before.requestCount)
            let seconds = load.totals.seconds - before.seconds
            print(
                "| \(runningCount) | \(text(seconds / tokenCount * 1e6)) | \(text(seconds / requestCount * 1e6)) "
                    + "| \(Int(requestCount / seconds)) |")
        }
    }

    private func text(_ value: Double) -> String { String(format: "%.2f", value) }
}
