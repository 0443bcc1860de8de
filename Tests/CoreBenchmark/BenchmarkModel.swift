import Orchestration
import Vocabulary

/// A model without arithmetic: what is asked of it, and what its last stage answers.
enum BenchmarkModel {
    static let name = "m"
    static let promptTokenCount = 40
    static let outputTokenCount = 32
    private static let vocabularySize = 32_000

    static let profile = ModelProfile(
        name: name, fingerprint: "f", layerCount: 2, hiddenSize: 64, vocabularySize: vocabularySize,
        contextLength: 4_096, embeddingBytes: 1_000, layerBytes: [1_000, 1_000], headBytes: 1_000,
        kvBytesPerPositionPerLayer: 4, endTokens: [0])

    struct Text: TokenText {
        func bytes(of token: TokenID) -> [UInt8] { [UInt8(ascii: "a") + UInt8(token % 26)] }
    }

    static func settings(runningCount: Int) -> CoordinatorSettings {
        var settings = CoordinatorSettings()
        settings.nodeCountMin = 2
        settings.runningSequenceCountMax = runningCount
        settings.stepRowCountMax = max(64, runningCount)
        settings.kvTokenCountMax = runningCount * 128
        return settings
    }

    static func node(_ node: NodeID, incarnation: Incarnation, port: Int) -> NodeDescription {
        NodeDescription(
            node: node, incarnation: incarnation, host: "127.0.0.1", port: port, processID: 1, threadCount: 1,
            coreCount: 1, numaNodeCount: 1, instructionSet: "none", memoryLimitBytes: 1 << 40,
            readBytesPerSecond: 1e9, multiplyAddsPerSecond: 1e9, version: "")
    }

    /// Each of another prompt, so that no prefix is found in the cache.
    static func request(number: UInt64) -> GenerationRequest {
        let prompt = (0..<UInt64(promptTokenCount)).map {
            TokenID((number * 31 + $0 * (1 + number / 1_024)) % UInt64(vocabularySize))
        }
        return GenerationRequest(
            model: name, prompt: prompt, outputTokenCountMax: outputTokenCount, ignoresEnd: true)
    }

    /// A token for each sequence that samples, without a look at what the model would say.
    static func result(of step: Step) -> StepResult {
        var result = StepResult(pipeline: step.pipeline, epoch: step.epoch, number: step.number, outputs: [])
        for rows in step.sequences where rows.samples {
            let position = rows.firstPosition + rows.tokens.count
            let token = TokenID((position * 7 + Int(rows.sequence.rawValue % 1_000_000)) % (vocabularySize - 1) + 1)
            result.outputs.append(
                SequenceOutput(sequence: rows.sequence, sampled: TokenScore(token: token, position: position)))
        }
        return result
    }
}
