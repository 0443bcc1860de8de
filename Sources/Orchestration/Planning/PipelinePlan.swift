public import Vocabulary

/// Which node holds which units of a model, and how large the KV pool of its stages is.
public struct PipelinePlan: Hashable, Sendable {
    public struct Stage: Hashable, Sendable {
        public var node: NodeID
        public var units: StageUnits
        public var weightBytes: UInt64
        /// KV bytes of one block in all layers of this stage.
        public var blockBytes: UInt64
    }

    /// In the order of their layers.
    public var stages: [Stage]
    /// Blocks in the KV pool of each stage.
    public var blockCount: Int
    /// The slowest stage's time for one decode row, as far as reading weights decides it.
    public var bottleneckSeconds: Double

    public func kvBytes(of stage: Stage) -> UInt64 {
        stage.blockBytes.multipliedSaturating(by: UInt64(blockCount))
    }

    /// Weights and KV of the stages on `node`.
    public func memoryBytes(on node: NodeID) -> UInt64 {
        stages.reduce(0) { sum, stage in
            guard stage.node == node else { return sum }
            return sum.addingSaturating(stage.weightBytes).addingSaturating(kvBytes(of: stage))
        }
    }

    func stageIndex(of node: NodeID) -> Int? { stages.firstIndex { $0.node == node } }
}
