import CKernels
import Memory
import Tensors
import Testing

/// The kernels of rows, each instruction set against the scalar one.
@Suite struct RowKernelTests {
    private static let counts = [1, 2, 7, 8, 15, 16, 17, 31, 64, 100, 576]

    @Test(arguments: InstructionSet.available) func quantisation(_ set: InstructionSet) throws {
        var random = RandomSource(seed: 20)
        let (scalar, vector) = (try kernels(.scalar), try kernels(set))
        for round in 0..<400 {
            let size = Float(Double.random(in: -40...38, using: &random)).rounded()
            let scale = Numerics.exp(size * 2.3)
            var x = random.activations(32).map { $0 * scale }
            if round % 5 == 1 { x = x.map { abs($0) } }
            if round % 5 == 2 { x = x.map { -abs($0) } }
            if round % 40 == 3 { x[Int.random(in: 0..<32, using: &random)] = .nan }
            if round % 40 == 4 { x = [Float](repeating: 0x1p-101, count: 32) }
            if round % 40 == 5 { x = [Float](repeating: -0x1p-100, count: 32) }
            if round % 40 == 6 { x = x.map { $0 < 0 ? -.greatestFiniteMagnitude : .greatestFiniteMagnitude } }
            var (expected, found) = (sl_block(), sl_block())
            scalar.quantize(x, 32, &expected)
            vector.quantize(x, 32, &found)
            let block = ActivationBlock(expected)
            #expect(ActivationBlock(found) == block, "round \(round)")
            #expect(block == ActivationBlock(x[...]), "round \(round)")
            guard x.allSatisfy(\.isFinite), expected.d > 0 else { continue }
            Self.checkBlock(block, x)
        }
    }

    /// What the block says of its values, against the values.
    private static func checkBlock(_ block: ActivationBlock, _ x: [Float]) {
        let q = block.q.map(Int.init)
        let d = Double(block.d)
        #expect(q.allSatisfy { (-127...127).contains($0) })
        let zero = (-Double(block.b) / d).rounded()
        for k in 0..<32 {
            #expect(abs(d * (Double(q[k]) - zero) - Double(x[k])) <= d * 0.5001)
        }
        let halves = [q[..<16].reduce(0, +), q[16...].reduce(0, +)]
        #expect(Int(block.bias) == -128 * (halves[0] + halves[1]))
        #expect(block.halfBias.map(Int.init) == halves.map { -128 * $0 })
        let sums = [(block.a, halves[0] + halves[1], 32.0)] + zip(block.halfA, halves).map { ($0, $1, 16.0) }
        for (value, sum, count) in sums {
            let exact = d * (Double(sum) - count * zero)
            // Values near the largest float sum up beyond it.
            if Float(exact).isFinite { #expect(abs(Double(value) - exact) <= abs(exact) * 1e-6) }
        }
    }

    @Test(arguments: vectorSets) func norms(_ set: InstructionSet) throws {
        var random = RandomSource(seed: 21)
        let (scalar, vector) = (try kernels(.scalar), try kernels(set))
        for count in Self.counts {
            let x = random.activations(count)
            let weight = random.values(count)
            let expected = scalar.rms_scale(x, Int64(count), 1e-5)
            #expect(vector.rms_scale(x, Int64(count), 1e-5) == expected)
            let mean = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(count)
            #expect(abs(Double(expected) * (mean + 1e-5).squareRoot() - 1) < 1e-5)
            #expect(
                Self.output(count) { vector.scale_multiply(x, expected, weight, Int64(count), $0) }
                    == Self.output(count) { scalar.scale_multiply(x, expected, weight, Int64(count), $0) })
        }
    }

    @Test(arguments: vectorSets) func elementwise(_ set: InstructionSet) throws {
        var random = RandomSource(seed: 22)
        let (scalar, vector) = (try kernels(.scalar), try kernels(set))
        for count in Self.counts {
            let gate = random.activations(count).map { $0 * 3 }
            let up = random.values(count)
            let n = Int64(count)
            func same(_ run: (sl_kernels, UnsafeMutablePointer<Float>) -> Void) -> Bool {
                Self.output(count) { run(scalar, $0) } == Self.output(count) { run(vector, $0) }
            }
            #expect(same { $0.silu_multiply(gate, up, n, $1) })
            #expect(same { $0.divide(gate, 0.37, n, $1) })
            #expect(
                same {
                    $1.update(from: up, count: count); $0.add($1, gate, n)
                })
            #expect(
                same {
                    $1.update(from: up, count: count); $0.attention_merge($1, 0.25, gate, 0.75, n)
                })
            #expect(same { $0.exponentiate(gate, n, $1) })
        }
    }

    @Test(arguments: vectorSets, [Int32(0), 1]) func rotation(_ set: InstructionSet, _ halves: Int32) throws {
        var random = RandomSource(seed: 23)
        let (scalar, vector) = (try kernels(.scalar), try kernels(set))
        for pairCount in [1, 3, 4, 5, 8, 12, 16, 20, 32, 48, 64] {
            let x = random.values(2 * pairCount)
            let angles = random.values(pairCount, -3...3)
            let cosines = angles.map { Self.sineAndCosine($0).1 }
            let sines = angles.map { Self.sineAndCosine($0).0 }
            func run(_ k: sl_kernels) -> [UInt32] {
                Self.output(2 * pairCount) {
                    $0.update(from: x, count: 2 * pairCount)
                    k.rotate($0, cosines, sines, Int64(pairCount), halves)
                }
            }
            #expect(run(vector) == run(scalar), "\(pairCount) pairs")
            let turned = run(scalar).map { Float(bitPattern: $0) }
            for i in 0..<pairCount {
                let (first, second) = halves != 0 ? (i, pairCount + i) : (2 * i, 2 * i + 1)
                let (a, b, c, s) = (Double(x[first]), Double(x[second]), Double(cosines[i]), Double(sines[i]))
                #expect(abs(Double(turned[first]) - (a * c - b * s)) < 3e-7)
                #expect(abs(Double(turned[second]) - (a * s + b * c)) < 3e-7)
            }
        }
    }

    private static func sineAndCosine(_ x: Float) -> (Float, Float) {
        var (s, c) = (0.0, 0.0)
        sl_sincos64(Double(x), &s, &c)
        return (Float(s), Float(c))
    }

    @Test(arguments: InstructionSet.available) func halfPrecision(_ set: InstructionSet) throws {
        let k = try kernels(set)
        // Every half value there and back, and the neighbours of every boundary between two of them.
        let halves = (0...UInt16.max).map { $0 }
        var floats = [Float](repeating: 0, count: halves.count)
        floats.withUnsafeMutableBufferPointer { k.from_half(halves, Int64(halves.count), $0.baseAddress) }
        #expect(bits(floats) == bits(halves.map { Float(Float16(bitPattern: $0)) }))
        var inputs = floats.filter(\.isFinite)
        inputs += inputs.flatMap { [$0.nextUp, $0.nextDown] }
        inputs += floats.filter(\.isFinite).map { ($0 + Float(Float16($0).nextUp)) / 2 }
        inputs += [65519, 65520, 1e6, -1e6, .infinity, -.infinity, 1e-9, -1e-9, 0x1p-25, 0x1.000002p-25]
        var back = [UInt16](repeating: 0, count: inputs.count)
        back.withUnsafeMutableBufferPointer { k.to_half(inputs, Int64(inputs.count), $0.baseAddress) }
        #expect(back == inputs.map { Float16($0).bitPattern })
        #expect(inputs.map { sl_half_from_float($0) } == back)
    }

    @Test(arguments: InstructionSet.available) func logSumExp(_ set: InstructionSet) throws {
        var random = RandomSource(seed: 24)
        let scalar = try ComputeContext(threadCount: 1, instructionSet: .scalar)
        let context = try ComputeContext(threadCount: 1, instructionSet: set)
        for count in Self.counts + [49_152] {
            let logits = random.values(count, -20...20)
            let expected = scalar.logSumExp(logits, count: count)
            let found = context.logSumExp(logits, count: count)
            #expect(found == expected)
            let top = Double(logits.max() ?? 0)
            let sum = logits.reduce(0.0) { $0 + Numerics.exp(Double($1) - top) }
            #expect(found.max == Float(top))
            #expect(abs(Double(found.logSumExp) - (top + Numerics.log(sum))) < 4e-6)
        }
        for bad in [Float.nan, .infinity] {
            var logits = random.values(40)
            logits[33] = bad
            let found = context.logSumExp(logits, count: 40)
            #expect(found.max.isNaN && found.logSumExp.isNaN)
        }
        let zeros: [Float] = [-0.0, 0.0, -0.0]
        #expect(context.logSumExp(zeros, count: 3).max.sign == .plus)
    }

    /// What processors without a fused multiply-add run: correctly rounded in software, the same bits.
    @Test func withoutFusedMultiplyAdd() throws {
        var random = RandomSource(seed: 25)
        let (scalar, other) = (try kernels(.scalar), sl_kernels_without_fma().pointee)
        let x = random.activations(320)
        let y = random.values(320)
        func same(_ run: (sl_kernels, UnsafeMutablePointer<Float>) -> Void) -> Bool {
            Self.output(320) { run(scalar, $0) } == Self.output(320) { run(other, $0) }
        }
        #expect(other.rms_scale(x, 320, 1e-5) == scalar.rms_scale(x, 320, 1e-5))
        #expect(same { $0.silu_multiply(x, y, 320, $1) })
        #expect(same { $0.exponentiate(x, 320, $1) })
        #expect(
            same {
                $1.update(from: y, count: 320); $0.attention_merge($1, 0.3, x, 0.7, 320)
            })
        #expect(
            same {
                $1.update(from: y, count: 320); $0.rotate($1, x, y, 160, 0)
            })
        let context = try ComputeContext(threadCount: 1, instructionSet: .scalar)
        for format in TensorFormat.allCases {
            let columns = format.columns(format.blockElementCount == 256 ? 2 : 10)
            let x = random.activations(2 * columns)
            let matrix = try context.pack(
                random.matrixBytes(format, rows: 20, columns: columns), format, rows: 20, columns: columns)
            let rows = try KernelRows(x, columns: columns, scalar)
            let products = [scalar, other].map { table in
                rows.multiply(table, format, matrix, rows: 0..<2, panels: 0..<2) { _ in 0 }
            }
            #expect(difference(products[0], products[1]) == nil, "\(format.name)")
        }
    }

    private static func output(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) -> [UInt32] {
        var values = [Float](repeating: 0, count: count)
        values.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { body(base) } }
        return bits(values)
    }
}
