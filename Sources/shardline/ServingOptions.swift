import ArgumentParser
import Logging
import Orchestration
import Telemetry
import Tensors
import Vocabulary

/// Flags that `local` and `serve` share. Those of a model hold for every model.
struct ServingOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .long], help: "Tokens of context to serve (default: the model's).")
    var ctxSize: Int?

    @Option(name: .long, help: "Pipelines of each model, on nodes of their own (default: 1).")
    var replicas: Int?

    @Option(name: .long, help: "Sequences that run at once in a replica (default: 64).")
    var maxNumSeqs: Int?

    @Option(name: .long, help: "Rows of a step: prompt and decode rows together (default: 64).")
    var stepRows: Int?

    @Option(
        name: .long, help: "Positions in the KV cache of a replica (default: what memory allows, up to four contexts).")
    var kvCacheTokens: Int?

    @Option(name: .long, help: "Kernels to use: \(InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")).")
    var instructionSet: String?

    @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    func validateLimits() throws {
        let limits = [
            ("--ctx-size", ctxSize ?? 1, 1...(1 << 24)), ("--max-num-seqs", maxNumSeqs ?? 1, 1...65_536),
            ("--replicas", replicas ?? 1, 1...1_024), ("--step-rows", stepRows ?? 1, 1...4_096),
            ("--kv-cache-tokens", kvCacheTokens ?? 32, 32...(1 << 30)),
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

    /// Replicas of a model share no node.
    func checkReplicas(nodeCount: Int) throws {
        if let replicas, replicas > nodeCount {
            throw ValidationError(
                "--replicas is \(replicas), but there are only \(nodeCount) nodes, and each replica needs one of its "
                    + "own at least")
        }
    }

    /// Puts what was given on the command line over what `limits` hold.
    func apply(to limits: inout ModelLimits) {
        if let ctxSize { limits.contextTokenCountMax = ctxSize }
        if let replicas { limits.replicaCount = replicas }
        if let maxNumSeqs { limits.runningSequenceCountMax = maxNumSeqs }
        if let stepRows { limits.stepRowCountMax = stepRows }
        if let kvCacheTokens { limits.kvTokenCountMax = kvCacheTokens }
    }

    /// - Parameter configured: the level of a configuration, which the flag overrides.
    func bootstrapLogging(label: String, configured: String = "info") -> Logger {
        Telemetry.bootstrap(level: Telemetry.level(named: logLevel ?? configured) ?? .info)
        return Logger(label: label)
    }
}
