/// What was measured of one request. Times are in nanoseconds of one clock.
public struct RequestRecord: Hashable, Sendable {
    public var startNanoseconds: UInt64
    /// When each chunk with output came.
    public var outputNanoseconds: [UInt64] = []
    public var promptTokenCount: Int?
    /// As the server counts; nil when it does not tell.
    public var usageOutputTokenCount: Int?
    /// Why it failed; nil when it succeeded.
    public var failure: String?

    public init(startNanoseconds: UInt64) { self.startNanoseconds = startNanoseconds }

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
