/// Blocks of 32 values.
extension BlockEncoder {
    private static let size = 32

    /// Q4_0, Q5_0, Q8_0: d (q - middle). The value of the largest magnitude becomes the lowest level, which has no
    /// counterpart above; with 256 levels the outermost is left out and d is positive.
    func encodeSymmetric(_ x: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt8>, _ levelCount: Int32) {
        let middle = levelCount / 2
        let extreme = Self.extreme(x, count: Self.size)
        let isByte = levelCount == 256
        let d = Self.store(half: isByte ? abs(extreme) / 127 : -extreme / Float(middle), at: target)
        let inverse = Self.inverse(d)
        if isByte {
            for k in 0..<Self.size {
                target[2 + k] = UInt8(bitPattern: Int8(Self.nearest(x[k] * inverse, in: -127...127)))
            }
            return
        }
        for k in 0..<Self.size {
            levels[k] = UInt8(middle + Self.nearest(x[k] * inverse, in: -middle...middle - 1))
        }
        storeLevels(target + 2, hasHighBits: levelCount == 32)
    }

    /// Q4_1, Q5_1: d q + m.
    func encodeAffine(_ x: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt8>, _ levelCount: Int32) {
        var (low, high) = (x[0], x[0])
        for k in 1..<Self.size {
            low = min(low, x[k])
            high = max(high, x[k])
        }
        let d = Self.store(half: (high - low) / Float(levelCount - 1), at: target)
        let m = Self.store(half: low, at: target + 2)
        let inverse = Self.inverse(d)
        for k in 0..<Self.size { levels[k] = UInt8(Self.nearest((x[k] - m) * inverse, in: 0...levelCount - 1)) }
        storeLevels(target + 4, hasHighBits: levelCount == 32)
    }

    /// Halfway between the values of IQ4_NL's levels: -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69,
    /// 89 and 113.
    private static let tableLimits: [Float] = [
        -115.5, -93.5, -74, -57, -42, -28.5, -16, -4.5, 7, 19, 31.5, 45.5, 61, 79, 101,
    ]

    /// IQ4_NL: d table[q]. The value of the largest magnitude becomes -127 d.
    func encodeTable(_ x: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt8>) {
        let d = Self.store(half: -Self.extreme(x, count: Self.size) / 127, at: target)
        let inverse = Self.inverse(d)
        Self.tableLimits.withUnsafeBufferPointer { limits in
            for k in 0..<Self.size {
                let wanted = x[k] * inverse
                var level: UInt8 = 0
                for limit in limits { level += wanted > limit ? 1 : 0 }
                levels[k] = level
            }
        }
        storeLevels(target + 2, hasHighBits: false)
    }

    /// Fifth bits as a 32-bit mask where there are any, then nibbles: value k and k + 16 share a byte.
    private func storeLevels(_ target: UnsafeMutablePointer<UInt8>, hasHighBits: Bool) {
        var nibbles = target
        if hasHighBits {
            var mask: UInt32 = 0
            for k in 0..<Self.size { mask |= UInt32(levels[k] >> 4) << UInt32(k) }
            UnsafeMutableRawPointer(target).storeBytes(of: mask.littleEndian, as: UInt32.self)
            nibbles += 4
        }
        for k in 0..<16 { nibbles[k] = levels[k] & 15 | (levels[k + 16] & 15) << 4 }
    }
}
