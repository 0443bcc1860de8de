/// One request of a recorded trace.
public struct TraceRow: Hashable, Sendable {
    /// From the trace's first request.
    public var arrivalNanoseconds: UInt64
    public var promptTokenCount: Int
    public var outputTokenCount: Int

    public init(arrivalNanoseconds: UInt64, promptTokenCount: Int, outputTokenCount: Int) {
        self.arrivalNanoseconds = arrivalNanoseconds
        self.promptTokenCount = promptTokenCount
        self.outputTokenCount = outputTokenCount
    }
}
