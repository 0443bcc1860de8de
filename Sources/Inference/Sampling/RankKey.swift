package import Vocabulary

/// A token and its logit as one number: the larger key is the likelier token; of equal logits the lower id is larger.
package struct RankKey: Hashable, Comparable, Sendable {
    package let bits: UInt64

    /// - Parameter logit: not NaN.
    @inline(__always)
    package init(logit: Float, token: Int) {
        let pattern = Int32(bitPattern: (logit + 0).bitPattern)  // + 0 makes -0 equal to 0
        // Negative floats order backwards: turn all their bits; of the others only the sign.
        let ordered = UInt32(bitPattern: pattern ^ (pattern >> 31 | Int32.min))
        bits = UInt64(ordered) << 32 | UInt64(~UInt32(truncatingIfNeeded: token))
    }

    package var token: TokenID { TokenID(bitPattern: ~UInt32(truncatingIfNeeded: bits)) }

    package var logit: Float {
        let ordered = Int32(bitPattern: UInt32(bits >> 32))
        return Float(bitPattern: UInt32(bitPattern: ordered < 0 ? ordered ^ Int32.min : ~ordered))
    }

    @inline(__always)
    package static func < (left: RankKey, right: RankKey) -> Bool { left.bits < right.bits }
}
