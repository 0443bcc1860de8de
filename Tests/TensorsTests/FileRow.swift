import Tensors

/// A row of a quantised matrix as its bytes stand in a model file: read as the PyPI package gguf reads them, and without
/// regard to the packed layout. Column k stands for scales[g] * integers[k] + minima[g], with g = k / groupColumns.
struct FileRow {
    let groupColumns: Int
    private(set) var integers: [Int32] = []
    private(set) var scales: [Float] = []
    /// Empty for formats without.
    private(set) var minima: [Float] = []

    init(_ bytes: ArraySlice<UInt8>, _ format: TensorFormat) {
        groupColumns = [.q2_k, .q3_k, .q6_k].contains(format) ? 16 : 32
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: format.blockByteCount) {
            let block = Block(bytes: bytes[start..<start + format.blockByteCount])
            switch format {
            case .q2_k: appendQ2K(block)
            case .q3_k: appendQ3K(block)
            case .q4_k, .q5_k: appendQ4K(block, highBits: format == .q5_k)
            case .q6_k: appendQ6K(block)
            default: appendBlockOf32(block, format)
            }
        }
    }

    /// Float32 values, each product and sum rounded.
    var values: [Float] {
        integers.indices.map { k in
            let product = scales[k / groupColumns] * Float(integers[k])
            return minima.isEmpty ? product : product + minima[k / groupColumns]
        }
    }

    /// What each value's parts add up to without their signs: the size of what cancels in it.
    var magnitudes: [Double] {
        integers.indices.map { k in
            abs(Double(scales[k / groupColumns]) * Double(integers[k]))
                + (minima.isEmpty ? 0 : abs(Double(minima[k / groupColumns])))
        }
    }

    /// The product with a row of activations, step by step as docs/numerics.md has it.
    func product(_ x: [ActivationBlock]) -> Float {
        var sum: Float = 0
        for (index, block) in x.enumerated() {
            sum = groupColumns == 32 ? extended(sum, block, index) : extendedByHalves(sum, block, index)
        }
        return sum
    }

    private func extended(_ sum: Float, _ x: ActivationBlock, _ index: Int) -> Float {
        let (dot, total) = sums(x, 32 * index..<32 * index + 32)
        let scale = scales[index]
        var sum = sum.addingProduct(Float(dot) * scale, x.d)
        sum = sum.addingProduct(Float(total) * scale, x.b)
        return minima.isEmpty ? sum : sum.addingProduct(minima[index], x.a)
    }

    private func extendedByHalves(_ sum: Float, _ x: ActivationBlock, _ index: Int) -> Float {
        let first = sums(x, 32 * index..<32 * index + 16)
        let second = sums(x, 32 * index + 16..<32 * index + 32)
        let (firstScale, secondScale) = (scales[2 * index], scales[2 * index + 1])
        let dot = (Float(first.dot) * firstScale).addingProduct(Float(second.dot), secondScale)
        let total = (Float(first.total) * firstScale).addingProduct(Float(second.total), secondScale)
        var sum = sum.addingProduct(dot, x.d)
        sum = sum.addingProduct(total, x.b)
        guard !minima.isEmpty else { return sum }
        sum = sum.addingProduct(minima[2 * index], x.halfA[0])
        return sum.addingProduct(minima[2 * index + 1], x.halfA[1])
    }

    private func sums(_ x: ActivationBlock, _ columns: Range<Int>) -> (dot: Int32, total: Int32) {
        var (dot, total): (Int32, Int32) = (0, 0)
        for k in columns {
            dot += integers[k] * x.q[k % 32]
            total += integers[k]
        }
        return (dot, total)
    }

    // MARK: Blocks

    private struct Block {
        let bytes: ArraySlice<UInt8>
        subscript(_ index: Int) -> Int32 { Int32(bytes[bytes.startIndex + index]) }
        func half(_ index: Int) -> Float {
            Float(Float16(bitPattern: UInt16(self[index]) | UInt16(self[index + 1]) << 8))
        }
        func signed(_ index: Int) -> Int32 { Int32(Int8(bitPattern: bytes[bytes.startIndex + index])) }
    }

    private static let iq4Values: [Int32] = [
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
    ]

    private mutating func appendBlockOf32(_ block: Block, _ format: TensorFormat) {
        scales.append(block.half(0))
        let hasMinimum = format == .q4_1 || format == .q5_1
        if hasMinimum { minima.append(block.half(2)) }
        let bitsStart = hasMinimum ? 4 : 2
        let start = format == .q5_0 || format == .q5_1 ? bitsStart + 4 : bitsStart
        for k in 0..<32 {
            let nibble = block[start + k % 16] >> (k < 16 ? 0 : 4) & 15
            let highBit = block[bitsStart + k / 8] >> Int32(k % 8) & 1
            switch format {
            case .q4_0: integers.append(nibble - 8)
            case .q4_1: integers.append(nibble)
            case .q5_0: integers.append((nibble | highBit << 4) - 16)
            case .q5_1: integers.append(nibble | highBit << 4)
            case .q8_0: integers.append(block.signed(start + k))
            case .iq4_nl: integers.append(Self.iq4Values[Int(nibble)])
            default: preconditionFailure("\(format.name) has no blocks of 32")
            }
        }
    }

    private mutating func appendQ2K(_ block: Block) {
        let (d, dmin) = (block.half(80), block.half(82))
        for group in 0..<16 {
            scales.append(d * Float(block[group] & 15))
            minima.append(-(dmin * Float(block[group] >> 4)))
        }
        for k in 0..<256 { integers.append(Self.twoBits(block, 16, k)) }
    }

    private mutating func appendQ3K(_ block: Block) {
        let d = block.half(108)
        for group in 0..<16 {
            let low = block[96 + group % 8] >> (group < 8 ? 0 : 4) & 15
            let high = block[104 + group % 4] >> Int32(2 * (group / 4)) & 3
            scales.append(d * Float((low | high << 4) - 32))
        }
        for k in 0..<256 {
            let isAboveFour = block[k % 32] >> Int32(k / 32) & 1 == 1
            integers.append(Self.twoBits(block, 32, k) - (isAboveFour ? 0 : 4))
        }
    }

    private mutating func appendQ4K(_ block: Block, highBits: Bool) {
        let (d, dmin) = (block.half(0), block.half(2))
        for group in 0..<8 {
            let (first, second, third) = (block[4 + group % 4], block[8 + group % 4], block[12 + group % 4])
            let scale = group < 4 ? first & 63 : third & 15 | (first >> 6) << 4
            let minimum = group < 4 ? second & 63 : third >> 4 | (second >> 6) << 4
            scales.append(d * Float(scale))
            minima.append(-(dmin * Float(minimum)))
        }
        for k in 0..<256 {
            let nibble = block[(highBits ? 48 : 16) + k / 64 * 32 + k % 32] >> (k / 32 % 2 == 0 ? 0 : 4) & 15
            let bit = highBits ? block[16 + k % 32] >> Int32(k / 32) & 1 : 0
            integers.append(nibble | bit << 4)
        }
    }

    private mutating func appendQ6K(_ block: Block) {
        let d = block.half(208)
        for group in 0..<16 { scales.append(d * Float(block.signed(192 + group))) }
        for k in 0..<256 {
            let nibble = block[k / 128 * 64 + k % 64] >> (k / 64 % 2 == 0 ? 0 : 4) & 15
            integers.append((nibble | Self.twoBits(block, 128, k) << 4) - 32)
        }
    }

    /// Integer k of 256 that stand in 64 bytes from `start` on: 32 bytes hold columns k, k + 32, k + 64 and k + 96.
    private static func twoBits(_ block: Block, _ start: Int, _ k: Int) -> Int32 {
        block[start + k / 128 * 32 + k % 32] >> Int32(k / 32 % 4 * 2) & 3
    }
}
