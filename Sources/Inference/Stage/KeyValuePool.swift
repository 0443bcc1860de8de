import Memory
import Tensors
import Vocabulary

/// The paged KV cache of a stage: `blockCount` blocks of 32 positions in one piece of memory.
///
/// A block is [layer of the stage][keys, values] (see `AttentionGeometry`), f16. A position's bytes are written when
/// its
/// row is computed and depend on nothing but the sequence's tokens up to it.
struct KeyValuePool {
    let blockCount: Int
    /// One layer's part of a block.
    let layerByteCount: Int
    let blockByteCount: Int
    private let buffer: AlignedBuffer

    init(blockCount: Int, layerCount: Int, geometry: AttentionGeometry, placement: Placement) throws(InferenceError) {
        layerByteCount = geometry.blockByteCount
        let (blockByteCount, blockOverflow) = layerByteCount.multipliedReportingOverflow(by: layerCount)
        let (byteCount, overflow) = blockByteCount.multipliedReportingOverflow(by: blockCount)
        guard !blockOverflow, !overflow else {
            throw InferenceError(.invalidStage, "a KV cache of \(blockCount) blocks is too large to be addressed")
        }
        do {
            buffer = try AlignedBuffer(byteCount: byteCount, placement: placement, hugePages: true)
        } catch {
            throw InferenceError(.outOfMemory, "no memory for a KV cache of \(blockCount) blocks: \(error.message)")
        }
        self.blockCount = blockCount
        self.blockByteCount = blockByteCount
    }

    var byteCount: Int { buffer.byteCount }

    /// The first layer's part of a block. The id must be below `blockCount`.
    func base(of block: BlockID) -> UnsafeMutableRawPointer {
        buffer.base + Int(block.rawValue) * blockByteCount
    }
}
