import Vocabulary

/// What of a request can only be checked against its model.
extension ServedModel {
    func tokens(of prompt: CompletionRequest.Prompt, param: String) throws(APIError) -> [TokenID] {
        switch prompt {
        case .text(let text):
            try checkTextByteCount(text.utf8.count, param: param)
            return self.text.codec.encode(text: text)
        case .tokens(let numbers):
            var tokens: [TokenID] = []
            tokens.reserveCapacity(numbers.count)
            for number in numbers {
                guard (0..<profile.vocabularySize).contains(number), let token = TokenID(exactly: number) else {
                    throw .invalid(
                        "'\(param)' holds token \(number), but the vocabulary of '\(profile.name)' is "
                            + "0 to \(profile.vocabularySize - 1)", param: param)
                }
                tokens.append(token)
            }
            return tokens
        }
    }

    /// Refuses a text that no tokenization could fit into the context, before time is spent on it.
    func checkTextByteCount(_ byteCount: Int, param: String) throws(APIError) {
        guard byteCount / text.tokenByteCountMax <= profile.contextLength else {
            throw .invalid(
                "'\(param)' has \(byteCount) bytes, which cannot fit into the context of \(profile.contextLength) "
                    + "tokens of '\(profile.name)'; shorten it", param: param, code: "context_length_exceeded")
        }
    }

    /// Checks the length of the prompt, and cuts the output asked for to the room there is.
    func fit(_ request: inout GenerationRequest, param: String) throws(APIError) {
        guard !request.prompt.isEmpty else {
            throw .invalid("'\(param)' is empty; it must hold at least one token", param: param)
        }
        let room = profile.contextLength - request.prompt.count
        guard room > 0 else {
            throw .invalid(
                "'\(param)' has \(request.prompt.count) tokens, but the context of '\(profile.name)' is "
                    + "\(profile.contextLength) tokens, output included; shorten it", param: param,
                code: "context_length_exceeded")
        }
        guard request.outputTokenCountMin <= room else {
            throw .invalid(
                "'min_tokens' is \(request.outputTokenCountMin), but the context of '\(profile.name)' has room for "
                    + "\(room) tokens after the prompt", param: "min_tokens", code: "context_length_exceeded")
        }
        request.outputTokenCountMax = request.outputTokenCountMax.map { min($0, room) }
    }
}
