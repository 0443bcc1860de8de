/// Blocks of 256 values, whose groups have scales of a few bits.
extension BlockEncoder {
    private static let size = 256

    // MARK: Scale and min

    /// Q2_K (groups of 16), Q4_K, Q5_K (groups of 32): d scale q - dmin min, all 0 or more.
    func encodeAffineGroups(_ x: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt8>, _ levelCount: Int32) {
        let isTwoBits = levelCount == 4
        let groupSize = isTwoBits ? 16 : 32
        let groupCount = Self.size / groupSize
        let scaleMax: Int32 = isTwoBits ? 15 : 63
        var (largestScale, largestMin): (Float, Float) = (0, 0)
        for group in 0..<groupCount {
            let values = x + group * groupSize
            var (low, high): (Float, Float) = (0, 0)
            for k in 0..<groupSize {
                low = min(low, values[k])
                high = max(high, values[k])
            }
            groupScales[group] = (high - low) / Float(levelCount - 1)
            groupMins[group] = -low
            largestScale = max(largestScale, groupScales[group])
            largestMin = max(largestMin, groupMins[group])
        }
        let scaleTarget = isTwoBits ? target + 80 : target
        let d = Self.store(half: largestScale / Float(scaleMax), at: scaleTarget)
        let dmin = Self.store(half: largestMin / Float(scaleMax), at: scaleTarget + 2)
        let (inverse, inverseMin) = (Self.inverse(d), Self.inverse(dmin))
        for group in 0..<groupCount {
            let values = x + group * groupSize
            let scale = Self.nearest(groupScales[group] * inverse, in: 0...scaleMax)
            let least = Self.nearest(groupMins[group] * inverseMin, in: 0...scaleMax)
            (groupScales[group], groupMins[group]) = (Float(scale), Float(least))
            let step = Self.inverse(d * Float(scale))
            let offset = dmin * Float(least)
            for k in 0..<groupSize {
                levels[group * groupSize + k] = UInt8(
                    Self.nearest((values[k] + offset) * step, in: 0...levelCount - 1))
            }
        }
        if isTwoBits {
            for group in 0..<groupCount { target[group] = UInt8(groupScales[group]) | UInt8(groupMins[group]) << 4 }
            storeTwoBits(target + 16)
        } else {
            storeSixBitScalesAndMins(target + 4)
            let hasHighBits = levelCount == 32
            if hasHighBits { storeFifthBits(target + 16) }
            storeNibblePairs(target + (hasHighBits ? 48 : 16))
        }
    }

    /// 8 scales and 8 mins in 12 bytes: those of groups 0 to 3 in the low six bits of bytes 0 to 3 and 4 to 7; of the
    /// others the low four bits in bytes 8 to 11 (scale low, min high) and the high two on top of bytes 0 to 7.
    private func storeSixBitScalesAndMins(_ target: UnsafeMutablePointer<UInt8>) {
        for group in 0..<4 {
            let (scale, least) = (UInt8(groupScales[group]), UInt8(groupMins[group]))
            let (laterScale, laterMin) = (UInt8(groupScales[group + 4]), UInt8(groupMins[group + 4]))
            target[group] = scale | (laterScale >> 4) << 6
            target[group + 4] = least | (laterMin >> 4) << 6
            target[group + 8] = laterScale & 15 | (laterMin & 15) << 4
        }
    }

    /// Groups 2i and 2i + 1 share 32 bytes.
    private func storeNibblePairs(_ target: UnsafeMutablePointer<UInt8>) {
        for pair in 0..<4 {
            let (low, high) = (levels + pair * 64, levels + pair * 64 + 32)
            for k in 0..<32 { target[pair * 32 + k] = low[k] & 15 | (high[k] & 15) << 4 }
        }
    }

    /// Bit g of byte k: the fifth bit of value k of group g.
    private func storeFifthBits(_ target: UnsafeMutablePointer<UInt8>) {
        for k in 0..<32 {
            var bits: UInt8 = 0
            for group in 0..<8 { bits |= (levels[group * 32 + k] >> 4) << UInt8(group) }
            target[k] = bits
        }
    }

    /// Each half of 128 values takes 32 bytes: byte k holds the low two bits of values k, k + 32, k + 64 and k + 96.
    private func storeTwoBits(_ target: UnsafeMutablePointer<UInt8>) {
        for half in 0..<2 {
            let values = levels + half * 128
            for k in 0..<32 {
                target[half * 32 + k] =
                    values[k] & 3 | (values[k + 32] & 3) << 2 | (values[k + 64] & 3) << 4 | (values[k + 96] & 3) << 6
            }
        }
    }

    // MARK: Scale only

    /// Q3_K, Q6_K: groups of 16, d scale (q - middle); scales have a sign.
    func encodeSymmetricGroups(_ x: UnsafePointer<Float>, _ target: UnsafeMutablePointer<UInt8>, _ levelCount: Int32) {
        let groupSize = 16
        let groupCount = 16
        let middle = levelCount / 2
        let isThreeBits = levelCount == 8
        let scaleLeast: Int32 = isThreeBits ? -32 : -128
        for group in 0..<groupCount {
            groupScales[group] = -Self.extreme(x + group * groupSize, count: groupSize) / Float(middle)
        }
        let largest = Self.extreme(groupScales, count: groupCount)
        let d = Self.store(half: largest / Float(scaleLeast), at: target + (isThreeBits ? 108 : 208))
        let inverse = Self.inverse(d)
        for group in 0..<groupCount {
            let scale = Self.nearest(groupScales[group] * inverse, in: scaleLeast...(-scaleLeast - 1))
            groupScales[group] = Float(scale)
            let step = Self.inverse(d * Float(scale))
            let values = x + group * groupSize
            for k in 0..<groupSize {
                levels[group * groupSize + k] = UInt8(
                    middle + Self.nearest(values[k] * step, in: -middle...middle - 1))
            }
        }
        if isThreeBits {
            storeThirdBits(target)
            storeTwoBits(target + 32)
            storeSixBitScales(target + 96)
        } else {
            storeSixBitLevels(target)
            for group in 0..<groupCount { target[192 + group] = UInt8(bitPattern: Int8(groupScales[group])) }
        }
    }

    /// Bit g of byte k: the third bit of value 32 g + k.
    private func storeThirdBits(_ target: UnsafeMutablePointer<UInt8>) {
        for k in 0..<32 {
            var bits: UInt8 = 0
            for group in 0..<8 { bits |= (levels[group * 32 + k] >> 2) << UInt8(group) }
            target[k] = bits
        }
    }

    /// 16 scales, each plus 32, in 12 bytes: low four bits of scales g and g + 8 in byte g, high two bits of scales
    /// g, g + 4, g + 8 and g + 12 in byte 8 + g.
    private func storeSixBitScales(_ target: UnsafeMutablePointer<UInt8>) {
        for group in 0..<12 { target[group] = 0 }
        for group in 0..<16 {
            let scale = UInt8(groupScales[group] + 32)
            target[group % 8] |= (scale & 15) << (group < 8 ? 0 : 4)
            target[8 + group % 4] |= (scale >> 4) << UInt8(group / 4 * 2)
        }
    }

    /// Each half of 128 values: 64 bytes of low nibbles (values k and k + 64 in byte k), and in the part behind all
    /// nibbles 32 bytes of high bit pairs, as two-bit values have them.
    private func storeSixBitLevels(_ target: UnsafeMutablePointer<UInt8>) {
        for half in 0..<2 {
            let values = levels + half * 128
            let low = target + half * 64
            let high = target + 128 + half * 32
            for k in 0..<64 { low[k] = values[k] & 15 | (values[k + 64] & 15) << 4 }
            for k in 0..<32 {
                let early = values[k] >> 4 | (values[k + 32] >> 4) << 2
                let late = values[k + 64] >> 4 | (values[k + 96] >> 4) << 2
                high[k] = early | late << 4
            }
        }
    }
}
