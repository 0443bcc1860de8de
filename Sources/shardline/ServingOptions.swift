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

    @Option(name: .long, help: "Sequences that run at once (default: 64).")
    var maxNumSeqs: Int?

    @Option(name: .long, help: "Rows of a step: prompt and decode rows together (default: 64).")
    var stepRows: Int?

    @Option(name: .long, help: "Positions in the KV cache (default: what memory allows, up to four contexts).")
    var kvCacheTokens: Int?

    @Option(name: .long, help: "Kernels to use: \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")).")
    var instructionSet: String?

    @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    func validateLimits() throws {
        let limits = [
            ("--ctx-size", ctxSize ?? 1, 1...(1 << 24)), ("--max-num-seqs", maxNumSeqs ?? 1, 1...65_536),
            ("--step-rows", stepRows ?? 1, 1...4_096), ("--kv-cache-tokens", kvCacheTokens ?? 32, 32...(1 << 30)),
        ]
        for (flag, value, range) in limits where !range.contains(value) {
            throw ValidationError("\(flag) must be \(range.lowerBound) to \(range.upperBound), not \(value)")
        }
        if let logLevel, Telemetry.level(named: logLevel) == nil {
            throw ValidationError("--log-level must be one of \(Telemetry.levelNames.joined(separator: ", "))")
        }
        if let instructionSet, InstructionSet(rawValue: instructionSet).map(InstructionSet.available.contains) != true {
            let known = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--instruction-set must be one of this machine's: \(known)")
        }
    }

    /// Puts what was given on the command line over what `settings` hold.
    func apply(to settings: inout CoordinatorSettings) {
        if let ctxSize { settings.contextTokenCountMax = ctxSize }
        if let maxNumSeqs { settings.runningSequenceCountMax = maxNumSeqs }
        if let stepRows { settings.stepRowCountMax = stepRows }
        if let kvCacheTokens { settings.kvTokenCountMax = kvCacheTokens }
    }

    /// - Parameter configured: the level of a configuration, which the flag overrides.
    func bootstrapLogging(label: String, configured: String = "info") -> Logger {
        Telemetry.bootstrap(level: Telemetry.level(named: logLevel ?? configured) ?? .info)
        return Logger(label: label)
    }
}
