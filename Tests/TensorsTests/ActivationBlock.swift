import CKernels

/// 32 activations quantised as docs/numerics.md has it, written without regard to the kernels.
struct ActivationBlock: Equatable {
    var q: [Int32]
    var d: Float
    var b: Float
    var a: Float
    var bias: Int32
    var halfBias: [Int32]
    var halfA: [Float]

    init(_ x: ArraySlice<Float>) {
        let (low, high) = (min(0, x.min() ?? 0), max(0, x.max() ?? 0))
        let range = high - low
        guard x.allSatisfy(\.isFinite), range.isFinite else {
            self.init(q: [Int32](repeating: 0, count: 32), d: .nan, zero: 0)
            return
        }
        guard range >= 0x1p-100 else {
            self.init(q: [Int32](repeating: 0, count: 32), d: 0, zero: 0)
            return
        }
        let d = range / 254
        let inverse = 1 / d
        let zero = Float(-127).addingProduct(-low, inverse).rounded(.toNearestOrEven)
        let q = x.map { Int32(min(max(zero.addingProduct($0, inverse).rounded(.toNearestOrEven), -127), 127)) }
        self.init(q: q, d: d, zero: Int32(zero))
    }

    private init(q: [Int32], d: Float, zero: Int32) {
        self.q = q
        self.d = d
        b = d > 0 ? -Float(zero) * d : d
        let sums = [q[..<16].reduce(0, +), q[16...].reduce(0, +)]
        a = d * Float(sums[0] + sums[1] - 32 * zero)
        bias = -128 * (sums[0] + sums[1])
        halfBias = sums.map { -128 * $0 }
        halfA = sums.map { d * Float($0 - 16 * zero) }
    }

    /// What a kernel wrote.
    init(_ block: sl_block) {
        q = withUnsafeBytes(of: block.q) { $0.map { Int32(Int8(bitPattern: $0)) } }
        (d, b, a, bias) = (block.d, block.b, block.a, block.bias)
        halfBias = [block.half_bias.0, block.half_bias.1]
        halfA = [block.half_a.0, block.half_a.1]
    }

    static func == (left: Self, right: Self) -> Bool {
        left.q == right.q && left.bias == right.bias && left.halfBias == right.halfBias
            && bits([left.d, left.b, left.a] + left.halfA) == bits([right.d, right.b, right.a] + right.halfA)
    }

    /// A row of activations; `x.count` is a multiple of 32.
    static func row(_ x: ArraySlice<Float>) -> [ActivationBlock] {
        stride(from: x.startIndex, to: x.endIndex, by: 32).map { ActivationBlock(x[$0..<$0 + 32]) }
    }
}
