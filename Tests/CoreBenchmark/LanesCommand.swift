import ArgumentParser
import Foundation

/// The whole coordinator: its actor, its lanes under TLS, and two stages in another process that compute nothing.
struct LanesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lanes",
        abstract: "The whole coordinator over real lanes to stages that compute nothing.",
        discussion: """
            Counted is the processor time of the event loop's thread, on which the coordinator decides, sends and \
            receives. Who reads the streams stands where the gateway would; its time is in the process's. The stages \
            run in a process of their own.
            """)

    @Option(help: "Running sequences, a measurement each.")
    var running: [Int] = [10, 32, 100, 320, 1_000]

    @Option(help: "Seconds of each measurement, after a quarter of it to warm up.")
    var seconds = 8.0

    @Option(help: "Processor of the stages' process (default: any).")
    var stagesCpu: Int?

    @Flag(help: "Plain text on the lanes.")
    var insecure = false

    @Flag(help: "A JSON object a line instead of a table.")
    var json = false

    func validate() throws {
        guard running.allSatisfy((1...10_000).contains) else { throw ValidationError("--running must be 1 to 10000") }
        guard (0.5...3_600).contains(seconds) else { throw ValidationError("--seconds must be 0.5 to 3600") }
        guard stagesCpu.map((0...4_095).contains) ?? true else {
            throw ValidationError("--stages-cpu must be the number of a processor")
        }
    }

    func run() async throws {
        if !json {
            print(
                "| running sequences | loop µs a token | process µs a token | requests a loop second "
                    + "| requests a second |")
            print("| --- | --- | --- | --- | --- |")
        }
        for runningCount in running {
            let load = try await LaneLoad(runningCount: runningCount, stagesCPU: stagesCpu, isInsecure: insecure)
            let result: LaneLoad.Result
            do {
                result = try await load.measure(seconds: seconds)
            } catch {
                await load.stop()
                throw error
            }
            await load.stop()
            print(json ? try line(result, runningCount) : row(result, runningCount))
            fflush(nil)
        }
    }

    private func row(_ result: LaneLoad.Result, _ runningCount: Int) -> String {
        let cells = [
            "\(runningCount)", String(format: "%.2f", result.loopSeconds / Double(result.tokenCount) * 1e6),
            String(format: "%.2f", result.processSeconds / Double(result.tokenCount) * 1e6),
            "\(Int(Double(result.requestCount) / result.loopSeconds))",
            "\(Int(Double(result.requestCount) / result.seconds))",
        ]
        return "| \(cells.joined(separator: " | ")) |"
    }

    private func line(_ result: LaneLoad.Result, _ runningCount: Int) throws -> String {
        let object: [String: Double] = [
            "running": Double(runningCount), "tokens": Double(result.tokenCount),
            "requests": Double(result.requestCount), "seconds": result.seconds,
            "loop_cpu_seconds": result.loopSeconds, "process_cpu_seconds": result.processSeconds,
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(object), as: UTF8.self)
    }
}
