package import Tensors

/// Brings float32 values into a tensor format, each to the nearest level of simply chosen scales: valid and good enough
/// to measure with, not the least error that the format can have.
///
/// An encoder has scratch memory: one thread at a time.
package final class BlockEncoder {
    package let format: TensorFormat
    let encoding: Encoding
    /// The integers of a block, each 0 or more.
    let levels = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    /// Scales and mins of a super-block's groups.
    let groupScales = UnsafeMutablePointer<Float>.allocate(capacity: 16)
    let groupMins = UnsafeMutablePointer<Float>.allocate(capacity: 16)

    /// How a format's blocks are made.
    enum Encoding {
        case float32, float16, brain16
        /// 32 values, d (q - middle).
        case symmetric(levelCount: Int32)
        /// 32 values, d q + m.
        case affine(levelCount: Int32)
        /// 32 values, d table[q].
        case table
        /// 256 values in groups, d scale q - dmin min.
        case affineGroups(levelCount: Int32)
        /// 256 values in groups of 16, d scale (q - middle).
        case symmetricGroups(levelCount: Int32)

        init(_ format: TensorFormat) {
            switch format {
            case .f32: self = .float32
            case .f16: self = .float16
            case .bf16: self = .brain16
            case .q4_0: self = .symmetric(levelCount: 16)
            case .q5_0: self = .symmetric(levelCount: 32)
            case .q8_0: self = .symmetric(levelCount: 256)
            case .q4_1: self = .affine(levelCount: 16)
            case .q5_1: self = .affine(levelCount: 32)
            case .iq4_nl: self = .table
            case .q2_k: self = .affineGroups(levelCount: 4)
            case .q4_k: self = .affineGroups(levelCount: 16)
            case .q5_k: self = .affineGroups(levelCount: 32)
            case .q3_k: self = .symmetricGroups(levelCount: 8)
            case .q6_k: self = .symmetricGroups(levelCount: 64)
            }
        }
    }

    package init(_ format: TensorFormat) {
        self.format = format
        encoding = Encoding(format)
    }

    deinit {
        levels.deallocate()
        groupScales.deallocate()
        groupMins.deallocate()
    }

    /// Encodes `count` values, whole blocks, all finite.
    package func encode(_ values: UnsafePointer<Float>, count: Int, into target: UnsafeMutablePointer<UInt8>) {
        let blockElements = format.blockElementCount
        precondition(count % blockElements == 0, "\(count) values are not whole blocks of \(format.name)")
        switch encoding {
        case .float32:
            target.withMemoryRebound(to: Float.self, capacity: count) { $0.update(from: values, count: count) }
        case .float16:
            target.withMemoryRebound(to: UInt16.self, capacity: count) { target in
                for index in 0..<count { target[index] = Float16(values[index]).bitPattern }
            }
        case .brain16:
            target.withMemoryRebound(to: UInt16.self, capacity: count) { target in
                for index in 0..<count { target[index] = Self.brain(values[index]) }
            }
        default:
            for block in 0..<count / blockElements {
                encodeBlock(values + block * blockElements, target + block * format.blockByteCount)
            }
        }
    }

    private func encodeBlock(_ x: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt8>) {
        switch encoding {
        case .float32, .float16, .brain16: break
        case .symmetric(let levelCount): encodeSymmetric(x, target, levelCount)
        case .affine(let levelCount): encodeAffine(x, target, levelCount)
        case .table: encodeTable(x, target)
        case .affineGroups(let levelCount): encodeAffineGroups(x, target, levelCount)
        case .symmetricGroups(let levelCount): encodeSymmetricGroups(x, target, levelCount)
        }
    }

    // MARK: Numbers

    /// The nearest of the numbers that end after 16 bits, ties to even.
    private static func brain(_ x: Float) -> UInt16 {
        let bits = x.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
    }

    /// The nearest integer, ties to even, of magnitudes below 2^22: adding 1.5 * 2^23 leaves it in the low bits.
    @inline(__always)
    static func nearest(_ x: Float) -> Int32 {
        Int32(truncatingIfNeeded: (x + 12_582_912).bitPattern &- 0x4B40_0000)
    }

    @inline(__always)
    static func nearest(_ x: Float, in range: ClosedRange<Int32>) -> Int32 {
        min(max(nearest(x), range.lowerBound), range.upperBound)
    }

    /// Stores a scale and gives what was stored, for the levels to fit it.
    static func store(half value: Float, at target: UnsafeMutablePointer<UInt8>) -> Float {
        let half = Float16(value)
        UnsafeMutableRawPointer(target).storeBytes(of: half.bitPattern.littleEndian, as: UInt16.self)
        return Float(half)
    }

    static func inverse(_ scale: Float) -> Float { scale == 0 ? 0 : 1 / scale }

    /// The value of the largest magnitude, with its sign.
    @inline(__always)
    static func extreme(_ x: UnsafePointer<Float>, count: Int) -> Float {
        var (low, high) = (x[0], x[0])
        for index in 1..<count {
            low = min(low, x[index])
            high = max(high, x[index])
        }
        return -low > high ? low : high
    }
}
