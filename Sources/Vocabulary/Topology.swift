/// The cluster at one moment, as `shardline topology` shows it.
public struct Topology: Hashable, Sendable {
    public var term: Term
    public var nodes: [NodeStatus]
    public var pipelines: [PipelineStatus]

    public init(term: Term, nodes: [NodeStatus], pipelines: [PipelineStatus]) {
        self.term = term
        self.nodes = nodes
        self.pipelines = pipelines
    }

    public struct NodeStatus: Hashable, Sendable {
        public var description: NodeDescription
        public var isConnected: Bool
        public init(description: NodeDescription, isConnected: Bool) {
            self.description = description
            self.isConnected = isConnected
        }
    }

    public struct PipelineStatus: Hashable, Sendable {
        public var pipeline: PipelineID
        public var model: String
        /// Counted from 1, among the pipelines of the model.
        public var replica: Int
        /// Pipelines that the model is to have.
        public var replicaCount: Int
        public var epoch: Epoch
        /// "waiting for nodes", "loading", "running".
        public var state: String
        public var stages: [StageStatus]
        public var runningCount: Int
        /// Requests that wait for any pipeline of the model.
        public var waitingCount: Int
        public var blockCount: Int
        public var freeBlockCount: Int

        public init(
            pipeline: PipelineID, model: String, replica: Int = 1, replicaCount: Int = 1, epoch: Epoch, state: String,
            stages: [StageStatus], runningCount: Int, waitingCount: Int, blockCount: Int, freeBlockCount: Int
        ) {
            self.pipeline = pipeline
            self.model = model
            self.replica = replica
            self.replicaCount = replicaCount
            self.epoch = epoch
            self.state = state
            self.stages = stages
            self.runningCount = runningCount
            self.waitingCount = waitingCount
            self.blockCount = blockCount
            self.freeBlockCount = freeBlockCount
        }
    }

    public struct StageStatus: Hashable, Sendable {
        public var node: NodeID
        public var units: StageUnits
        public var weightBytes: UInt64
        public var kvBytes: UInt64
        public var isReady: Bool

        public init(node: NodeID, units: StageUnits, weightBytes: UInt64, kvBytes: UInt64, isReady: Bool) {
            self.node = node
            self.units = units
            self.weightBytes = weightBytes
            self.kvBytes = kvBytes
            self.isReady = isReady
        }
    }
}
