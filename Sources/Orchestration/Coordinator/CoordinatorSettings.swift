public import Vocabulary

/// Limits and deadlines of a coordinator, for each of its pipelines.
public struct CoordinatorSettings: Sendable, Hashable {
    /// A pipeline is planned once so many nodes are connected.
    public var nodeCountMin = 1
    /// The most rows of a step: decode rows and prompt rows together.
    public var stepRowCountMax = 64
    /// The most sequences that hold KV at once.
    public var runningSequenceCountMax = 64
    /// The most accepted requests that wait for their turn; more are refused as overloaded.
    public var waitingRequestCountMax = 1024
    /// The most of them that one tenant has, unless it has no name.
    public var waitingRequestCountMaxPerTenant = 256
    /// The longest that a request takes, whatever it asks for; nil sets no limit.
    public var requestTimeLimit: Instant.Span?
    /// Serve a shorter context than the model's (`--ctx-size`).
    public var contextTokenCountMax: Int?
    /// Positions in a pipeline's KV pool, memory permitting; nil takes up to four contexts.
    public var kvTokenCountMax: Int?
    /// The part of a node's memory that is planned for nothing: workspaces, buffers of the transport, the program.
    public var memoryHeadroomFraction = 0.1
    /// The longest a pipeline with steps in flight may give no result.
    public var stepDeadline: Instant.Span = .seconds(60)
    /// The longest a pipeline that loads may give no sign of progress.
    public var prepareDeadline: Instant.Span = .seconds(300)
    /// The wait after a stage failed to load.
    public var loadRetryDelay: Instant.Span = .seconds(5)
    /// The longest that accepted requests wait for a pipeline that is down.
    public var waitingDeadline: Instant.Span = .seconds(60)

    public init() {}
}
