import CKernels

/// The shape of one layer's attention, and so of its part of a KV block.
///
/// One layer's part of a block of 32 positions: keys as f16 [KV head][headSize][32] (positions are lanes), then
/// values as
/// f16 [KV head][32][headSize].
public struct AttentionGeometry: Sendable, Hashable {
    public let headCount: Int
    public let kvHeadCount: Int
    public let headSize: Int

    /// Positions of a block.
    public static let blockPositionCount = Int(SL_KV_POSITIONS)
    /// The largest size of a head.
    public static let headSizeMax = 1024

    public init(headCount: Int, kvHeadCount: Int, headSize: Int) throws(TensorError) {
        guard headCount > 0, kvHeadCount > 0, headCount % kvHeadCount == 0, headCount <= 1 << 16,
            (1...Self.headSizeMax).contains(headSize)
        else {
            throw TensorError(
                .invalidSize,
                "\(headCount) heads over \(kvHeadCount) KV heads of size \(headSize)"
                    + " cannot be computed: the KV heads must "
                    + "divide the heads, and a head has at most \(Self.headSizeMax) elements")
        }
        self.headCount = headCount
        self.kvHeadCount = kvHeadCount
        self.headSize = headSize
    }

    /// Bytes of one layer's part of a block: keys and values.
    public var blockByteCount: Int { 2 * kvHeadCount * headSize * Self.blockPositionCount * 2 }
}

/// Consecutive rows of one sequence in an attention operation.
public struct AttentionSpan {
    /// Index of the first row among the operation's rows.
    public var rowOffset: Int
    public var rowCount: Int
    /// Position of the first row in its sequence.
    public var firstPosition: Int
    /// [position / 32]: this layer's part of the block. Covers all positions before firstPosition + rowCount.
    public var blocks: UnsafePointer<UnsafeMutableRawPointer>

    public init(
        rowOffset: Int, rowCount: Int, firstPosition: Int, blocks: UnsafePointer<UnsafeMutableRawPointer>
    ) {
        self.rowOffset = rowOffset
        self.rowCount = rowCount
        self.firstPosition = firstPosition
        self.blocks = blocks
    }
}
