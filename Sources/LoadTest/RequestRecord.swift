/// What was measured of one request. Times are in nanoseconds of one clock.
public struct RequestRecord: Hashable, Sendable {
    /// What latencies count from: when the request was due, in a closed loop when it was sent.
    public var startNanoseconds: UInt64
    /// When it was sent.
    public var sendNanoseconds: UInt64
    /// `LoadRequest.name`.
    public var name = ""
    /// Of the conversation, from 0.
    public var turn = 0
    /// When each chunk with output came.
    public var outputNanoseconds: [UInt64] = []
    /// The answer, where somebody asks for it: a conversation, or a comparison.
    public var text = ""
    /// With `text`: where in it, in bytes of UTF-8, each chunk ends.
    public var outputEnds: [Int] = []
    /// What the server calls the answer.
    public var serverID: String?
    public var finishReason: String?
    public var promptTokenCount: Int?
    /// Of the prompt, in the server's prefix cache.
    public var cachedTokenCount: Int?
    /// As the server counts; nil when it does not tell.
    public var usageOutputTokenCount: Int?
    /// Why it failed; nil when it succeeded.
    public var failure: String?
    /// The client went away, as the plan says; neither a success nor a failure.
    public var isDisconnected = false

    public init(startNanoseconds: UInt64) {
        self.startNanoseconds = startNanoseconds
        sendNanoseconds = startNanoseconds
    }

    /// As the server counts, else the chunks.
    public var outputTokenCount: Int { usageOutputTokenCount ?? outputNanoseconds.count }

    public var timeToFirstToken: UInt64? { outputNanoseconds.first.map { $0 - startNanoseconds } }

    /// Until the last output.
    public var latency: UInt64? { outputNanoseconds.last.map { $0 - startNanoseconds } }

    /// The mean time of a token after the first; nil with fewer than two.
    public var timePerOutputToken: UInt64? {
        guard let first = outputNanoseconds.first, let last = outputNanoseconds.last, outputTokenCount > 1 else {
            return nil
        }
        return (last - first) / UInt64(outputTokenCount - 1)
    }

    /// The times between chunks.
    public var interTokenLatencies: [UInt64] {
        zip(outputNanoseconds.dropFirst(), outputNanoseconds).map { $0 - $1 }
    }
}
