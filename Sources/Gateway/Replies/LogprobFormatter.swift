import Vocabulary

/// Log-probabilities in the shape of OpenAI's chat completions, with each token's id beside it.
struct LogprobFormatter {
    let codec: any TextCodec

    func entry(_ score: TokenScore) -> JSONValue {
        entry(score.token, logprob: Self.finite(score.logprob), top: score.top)
    }

    /// A token that nothing gives a probability: the first of a prompt.
    func entry(unscored token: TokenID) -> JSONValue {
        entry(token, logprob: nil, top: [])
    }

    private func entry(_ token: TokenID, logprob: JSONValue, top: [RankedToken]) -> JSONValue {
        let (text, bytes) = spell(token)
        return [
            "token": text, "logprob": logprob, "bytes": bytes,
            "top_logprobs": .array(top.map { ranked($0) }),
            "id": .integer(Int(token)),
        ]
    }

    private func ranked(_ ranked: RankedToken) -> JSONValue {
        let (text, bytes) = spell(ranked.token)
        return [
            "token": text, "logprob": Self.finite(ranked.logprob), "bytes": bytes,
            "id": .integer(Int(ranked.token)),
        ]
    }

    /// A token's text and bytes. Control tokens add no bytes to a text; they are shown by name.
    private func spell(_ token: TokenID) -> (text: JSONValue, bytes: JSONValue) {
        let bytes = codec.bytes(of: token)
        guard !bytes.isEmpty else { return (.string(codec.display(of: token)), nil) }
        return (.string(String(decoding: bytes, as: UTF8.self)), .array(bytes.map { .integer(Int($0)) }))
    }

    /// OpenAI's stand-in for a token that is out of the question: JSON has no infinities.
    private static func finite(_ logprob: Float) -> JSONValue {
        .float(logprob.isFinite ? logprob : -9999)
    }
}
