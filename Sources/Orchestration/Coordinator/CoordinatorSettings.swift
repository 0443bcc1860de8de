public import Vocabulary

/// Deadlines of a coordinator, and the limits of its models.
@dynamicMemberLookup
public struct CoordinatorSettings: Sendable, Hashable {
    /// Pipelines are planned once so many nodes are connected.
    public var nodeCountMin = 1
    /// Of models that `modelLimits` does not name. Their members are the settings' own as well.
    public var limits = ModelLimits()
    /// By the model's name.
    public var modelLimits: [String: ModelLimits] = [:]
    /// The part of a node's memory that is planned for nothing: workspaces, buffers of the transport, the program.
    public var memoryHeadroomFraction = 0.1
    /// The longest a pipeline with steps in flight may give no result.
    public var stepDeadline: Instant.Span = .seconds(60)
    /// The longest a pipeline that loads may give no sign of progress.
    public var prepareDeadline: Instant.Span = .seconds(300)
    /// The wait after a stage failed to load.
    public var loadRetryDelay: Instant.Span = .seconds(5)
    /// The longest that accepted requests wait for a model of which no pipeline runs.
    public var waitingDeadline: Instant.Span = .seconds(60)

    public init() {}

    public func limits(of model: String) -> ModelLimits { modelLimits[model] ?? limits }

    public subscript<Value>(dynamicMember member: WritableKeyPath<ModelLimits, Value>) -> Value {
        get { limits[keyPath: member] }
        set { limits[keyPath: member] = newValue }
    }
}
