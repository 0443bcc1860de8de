public import Vocabulary

/// How one model is served: each has its own.
public struct ModelLimits: Sendable, Hashable {
    /// Pipelines of the model, over nodes of their own.
    public var replicaCount = 1
    /// The most rows of a step: decode rows and prompt rows together.
    public var stepRowCountMax = 64
    /// The most sequences that hold KV at once, in each replica.
    public var runningSequenceCountMax = 64
    /// The most accepted requests that wait for their turn in any replica; more are refused as overloaded.
    public var waitingRequestCountMax = 1024
    /// The most of them that one tenant has, unless it has no name.
    public var waitingRequestCountMaxPerTenant = 256
    /// The longest that a request takes, whatever it asks for; nil sets no limit.
    public var requestTimeLimit: Instant.Span?
    /// Serve a shorter context than the model's (`--ctx-size`).
    public var contextTokenCountMax: Int?
    /// Positions in the KV pool of each replica, memory permitting; nil takes up to four contexts.
    public var kvTokenCountMax: Int?

    public init() {}

    /// The context that is served.
    func contextTokenCount(of model: ModelProfile) -> Int {
        min(model.contextLength, contextTokenCountMax ?? model.contextLength)
    }
}
