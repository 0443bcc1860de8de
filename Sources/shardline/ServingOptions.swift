import ArgumentParser
import Logging
import Orchestration
import Telemetry
import Tensors
import Vocabulary

/// Flags that `local` and `serve` share.
struct ServingOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .long], help: "Tokens of context to serve (default: the model's).")
    var ctxSize: Int?

    @Option(name: .long, help: "Sequences that run at once.")
    var maxNumSeqs = 64

    @Option(name: .long, help: "Rows of a step: prompt and decode rows together.")
    var stepRows = 64

    @Option(name: .long, help: "Positions in the KV cache (default: what memory allows, up to four contexts).")
    var kvCacheTokens: Int?

    @Option(name: .long, help: "Kernels to use: \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")).")
    var instructionSet: String?

    @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func validateLimits() throws {
        let limits = [
            ("--ctx-size", ctxSize ?? 1, 1...(1 << 24)), ("--max-num-seqs", maxNumSeqs, 1...65_536),
            ("--step-rows", stepRows, 1...4_096), ("--kv-cache-tokens", kvCacheTokens ?? 32, 32...(1 << 30)),
        ]
        for (flag, value, range) in limits where !range.contains(value) {
            throw ValidationError("\(flag) must be \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level must be trace, debug, info, notice, warning, error or critical")
        }
        if let instructionSet, InstructionSet(rawValue: instructionSet).map(InstructionSet.available.contains) != true {
            let known = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--instruction-set must be one of this machine's: \(known)")
        }
    }

    var coordinatorSettings: CoordinatorSettings {
        var settings = CoordinatorSettings()
        settings.contextTokenCountMax = ctxSize
        settings.runningSequenceCountMax = maxNumSeqs
        settings.stepRowCountMax = stepRows
        settings.kvTokenCountMax = kvCacheTokens
        return settings
    }

    func bootstrapLogging(label: String) throws -> Logger {
        Telemetry.bootstrap(level: Logger.Level(rawValue: logLevel) ?? .info)
        return Logger(label: label)
    }
}
