import Vocabulary

/// What a request must give, whatever happens around it: the model run over it alone, written down plainly.
struct ReferenceRun {
    var promptScores: [TokenScore] = []
    var output: [TokenScore] = []
    var text = ""
    var reason = FinishReason.length

    /// - Parameter positionCountMax: the context, or the pool if that is smaller.
    init(_ request: GenerationRequest, _ model: SimulatedModel, positionCountMax: Int) {
        let room = positionCountMax - request.prompt.count
        let outputCountMax = min(request.outputTokenCountMax ?? room, room)
        // Of each layer the hash of all rows so far: a stage computes it anew from the rows it holds.
        var layers: [UInt64] = Array(repeating: 0, count: model.profile.layerCount)
        var tokens = request.prompt
        var bytes: [UInt8] = []
        var freeByteCount = 0
        var position = 0
        while position < tokens.count {
            var hidden = SimulatedModel.embed(tokens[position], position: position)
            for layer in layers.indices {
                layers[layer] = SimulatedModel.fold(layers[layer], hidden)
                hidden = layers[layer]
            }
            position += 1
            if position < request.prompt.count {
                guard request.scoresPrompt else { continue }
                promptScores.append(
                    SimulatedModel.score(hidden, token: tokens[position], position: position, request.sampling))
                continue
            }
            guard output.count < outputCountMax else { break }
            let sampled = model.sample(
                hidden, position: position, tokens: tokens, promptTokenCount: request.prompt.count,
                suppressesEnd: output.count < request.outputTokenCountMin, request.sampling)
            output.append(sampled)
            tokens.append(sampled.token)
            if sampled.token == 0, !request.ignoresEnd {
                reason = .stop
                break
            }
            if output.count < request.outputTokenCountMin {
                bytes += model.bytes(of: sampled.token)
                freeByteCount = bytes.count
                continue
            }
            var isStopped = false
            for byte in model.bytes(of: sampled.token) where !isStopped {
                bytes.append(byte)
                isStopped = cutAtStop(&bytes, from: freeByteCount, request)
            }
            if isStopped {
                reason = .stop
                break
            }
        }
        text = String(decoding: bytes, as: UTF8.self)
    }

    private func cutAtStop(_ bytes: inout [UInt8], from start: Int, _ request: GenerationRequest) -> Bool {
        let found = request.stopStrings.map { Array($0.utf8) }
            .filter { !$0.isEmpty && bytes[start...].suffix($0.count).elementsEqual($0) }
            .max { $0.count < $1.count }
        guard let found else { return false }
        if !request.includesStopString { bytes.removeLast(found.count) }
        return true
    }
}
