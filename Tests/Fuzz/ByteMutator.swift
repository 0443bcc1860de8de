/// Damages bytes the way disks, networks and ill will do.
enum ByteMutator {
    /// Numbers that length checks get wrong.
    private static let edges: [UInt64] = [
        0, 1, 2, 7, 8, 31, 32, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000, 1 << 24, 1 << 31, (1 << 31) - 1, 1 << 32,
        (1 << 32) - 1, 1 << 40, 1 << 61, 1 << 62, (1 << 63) - 1, 1 << 63, .max - 31, .max - 7, .max - 1, .max,
    ]

    /// One change, or two, or rarely more, for the first refusal hides what lies behind it. Most of them are before
    /// `headByteCount`, where a parser's decisions are.
    static func mutate(_ bytes: inout [UInt8], headByteCount: Int, _ random: inout FuzzRandom) {
        repeat {
            let isInHead = !random.once(in: 10)
            let position = random.below(isInHead ? min(headByteCount, bytes.count) : bytes.count)
            change(&bytes, at: position, &random)
        } while !bytes.isEmpty && random.once(in: 3)
    }

    private static func change(_ bytes: inout [UInt8], at position: Int, _ random: inout FuzzRandom) {
        switch random.below(16) {
        case 0...3: bytes[position] ^= 1 << UInt8(random.below(8))
        case 4, 5: bytes[position] = UInt8(random.below(256))
        case 6...8: overwrite(&bytes, at: position, with: edge(bytes.count, &random), byteCount: 8)
        case 9: overwrite(&bytes, at: position, with: edge(bytes.count, &random), byteCount: 4)
        case 10: nudge(&bytes, at: position, &random)
        case 11: splice(&bytes, at: position, &random)
        case 12: bytes.removeSubrange(position..<min(bytes.count, position + 1 + random.below(64)))
        case 13:
            let inserted = (0...random.below(64)).map { _ in UInt8(random.below(256)) }
            bytes.insert(contentsOf: inserted, at: position)
        case 14:
            let end = min(bytes.count, position + 1 + random.below(256))
            let filler: UInt8 = random.once(in: 2) ? 0 : 0xFF
            for index in position..<end { bytes[index] = filler }
        default:
            // Cut short, but not often: it hides all other damage behind it.
            if random.once(in: 4) { bytes.removeSubrange(position...) } else { bytes[position] ^= 0x80 }
        }
    }

    private static func edge(_ byteCount: Int, _ random: inout FuzzRandom) -> UInt64 {
        switch random.below(4) {
        case 0: UInt64(byteCount) &+ UInt64(random.below(64)) &- 32
        case 1: UInt64(random.below(4096))
        default: edges[random.below(edges.count)]
        }
    }

    private static func overwrite(_ bytes: inout [UInt8], at position: Int, with value: UInt64, byteCount: Int) {
        for index in 0..<min(byteCount, bytes.count - position) {
            bytes[position + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
        }
    }

    /// Off by a little: the counts that nearly fit.
    private static func nudge(_ bytes: inout [UInt8], at position: Int, _ random: inout FuzzRandom) {
        bytes[position] = bytes[position] &+ UInt8(truncatingIfNeeded: random.below(9) - 4)
    }

    /// Copies a stretch from one place over another.
    private static func splice(_ bytes: inout [UInt8], at position: Int, _ random: inout FuzzRandom) {
        let source = random.below(bytes.count)
        let count = min(1 + random.below(512), bytes.count - max(source, position))
        let stretch = Array(bytes[source..<source + count])
        bytes.replaceSubrange(position..<position + count, with: stretch)
    }
}
