/// What of a model a stage holds: a contiguous run of layers, and whether the embedding or the head rides on it.
public struct StageUnits: Hashable, Sendable {
    /// At least one layer.
    public var layers: Range<Int>
    public var hasEmbedding: Bool
    public var hasHead: Bool

    public init(layers: Range<Int>, hasEmbedding: Bool, hasHead: Bool) {
        self.layers = layers
        self.hasEmbedding = hasEmbedding
        self.hasHead = hasHead
    }
}

/// One stage of a pipeline as the coordinator assigns it to a node.
public struct StageAssignment: Hashable, Sendable {
    public var pipeline: PipelineID
    public var epoch: Epoch
    public var stageIndex: Int
    public var stageCount: Int
    /// The name under which the model is served.
    public var model: String
    /// Tells whether a node's file is the coordinator's file (see `Models.ModelFile.fingerprint`).
    public var modelFingerprint: String
    public var units: StageUnits
    /// Blocks in the KV pool; the same on all stages of a pipeline.
    public var blockCount: Int
    /// The most rows a step may have.
    public var rowCountMax: Int
    /// Where the hidden states go next: nil for the last stage, which reports to the coordinator.
    public var next: PeerAddress?
    /// Whose hidden states this stage takes: nil for the first stage, which the coordinator feeds.
    public var previous: NodeID?

    public init(
        pipeline: PipelineID, epoch: Epoch, stageIndex: Int, stageCount: Int, model: String, modelFingerprint: String,
        units: StageUnits, blockCount: Int, rowCountMax: Int, next: PeerAddress?,
        previous: NodeID? = nil
    ) {
        self.pipeline = pipeline
        self.epoch = epoch
        self.stageIndex = stageIndex
        self.stageCount = stageCount
        self.model = model
        self.modelFingerprint = modelFingerprint
        self.units = units
        self.blockCount = blockCount
        self.rowCountMax = rowCountMax
        self.next = next
        self.previous = previous
    }
}

/// Where a process of the cluster listens.
public struct PeerAddress: Hashable, Sendable {
    public var node: NodeID
    public var host: String
    public var port: Int
    public init(node: NodeID, host: String, port: Int) {
        self.node = node
        self.host = host
        self.port = port
    }
}
