import CKernels
import Tensors
import Testing

@Suite struct MultiplyTests {
    struct Shape { var rows: Int, columns: Int, activationRows: Int }

    /// Odd row counts, one to 64 activation rows and beyond, columns around the kernels' chunk lengths.
    static func shapes(_ format: TensorFormat, seed: UInt64) -> [Shape] {
        var random = RandomSource(seed: seed)
        let fixed = [1, 2, 3, 4, 5, 11, 12, 13, 24, 25, 64, 97, 130]
        return fixed.map { activationRows in
            let blocks = Int.random(in: 1...45, using: &random)
            let columns = format.isQuantised ? 32 * blocks : Int.random(in: 1...300, using: &random)
            return Shape(rows: .random(in: 1...90, using: &random), columns: columns, activationRows: activationRows)
        }
    }

    @Test(arguments: vectorSets, TensorFormat.allCases)
    func everyPathGivesTheScalarBits(_ set: InstructionSet, _ format: TensorFormat) throws {
        var random = RandomSource(seed: UInt64(format.rawValue) + 10)
        let scalar = try ComputeContext(threadCount: 1, instructionSet: .scalar)
        for (index, shape) in Self.shapes(format, seed: 5).enumerated() {
            let context = try ComputeContext(threadCount: 1 + index % 4, instructionSet: set)
            let bytes = random.matrixBytes(format, rows: shape.rows, columns: shape.columns)
            let matrix = try context.pack(bytes, format, rows: shape.rows, columns: shape.columns)
            let x = random.activations(shape.activationRows * shape.columns)
            let old = index % 2 == 0 ? nil : random.values(shape.activationRows * shape.rows)
            let expected = try scalar.product(matrix, x, rows: shape.activationRows, addingTo: old)
            let found = try context.product(matrix, x, rows: shape.activationRows, addingTo: old)
            #expect(bits(found) == bits(expected), "\(shape)")
        }
    }

    @Test(arguments: TensorFormat.allCases) func extremeWeightsDoNotSaturate(_ format: TensorFormat) throws {
        guard format.isQuantised else { return }
        // All integers at their ends against activations at theirs: the largest sums that can be.
        for pattern in [UInt8(0xff), 0x00, 0x80, 0x7f, 0xf0, 0x0f] {
            var bytes = [UInt8]()
            for _ in 0..<16 * 4 {
                bytes += [0, 0x3c] + (format == .q4_1 ? [0, 0xbc] : [])  // scale 1, minimum -1
                bytes += [UInt8](repeating: pattern, count: format == .q8_0 ? 32 : 16)
            }
            let scalar = try ComputeContext(threadCount: 1, instructionSet: .scalar)
            let matrix = try scalar.pack(bytes, format, rows: 16, columns: 128)
            for high in [Float(1), -1] {
                var x = [Float](repeating: high, count: 20 * 128)
                for k in stride(from: 0, to: x.count, by: 32) { x[k] = -high }
                for rows in [1, 20] {
                    let expected = try scalar.product(matrix, x, rows: rows)
                    for set in vectorSets {
                        let context = try ComputeContext(threadCount: 1, instructionSet: set)
                        let found = try context.product(matrix, x, rows: rows)
                        #expect(bits(found) == bits(expected), "\(set) \(pattern)")
                    }
                }
            }
        }
    }

    @Test(arguments: TensorFormat.allCases) func scalarIsNearTheExactProduct(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 6)
        let context = try ComputeContext(threadCount: 1, instructionSet: .scalar)
        for shape in Self.shapes(format, seed: 7).prefix(6) {
            let bytes = random.matrixBytes(format, rows: shape.rows, columns: shape.columns)
            let matrix = try context.pack(bytes, format, rows: shape.rows, columns: shape.columns)
            let x = random.activations(shape.activationRows * shape.columns)
            let found = try context.product(matrix, x, rows: shape.activationRows)
            for n in 0..<shape.rows {
                let w = dequantised(bytes, format, row: n, columns: shape.columns)
                for r in 0..<shape.activationRows {
                    let row = Array(x[r * shape.columns..<(r + 1) * shape.columns])
                    let (exact, bound) = Self.exactProduct(w, row, isQuantised: format.isQuantised)
                    #expect(abs(Double(found[r * shape.rows + n]) - exact) <= bound)
                }
            }
        }
    }

    /// The product in float64, and how far off it may be: half a quantisation step of each activation, and rounding.
    private static func exactProduct(_ w: [Float], _ x: [Float], isQuantised: Bool) -> (Double, Double) {
        var sum = 0.0
        var magnitude = 0.0
        var quantisation = 0.0
        for k in x.indices {
            sum += Double(w[k]) * Double(x[k])
            magnitude += abs(Double(w[k]) * Double(x[k]))
            guard isQuantised else { continue }
            let block = x[k / 32 * 32..<k / 32 * 32 + 32]
            let step = Double(max(0, block.max() ?? 0) - min(0, block.min() ?? 0)) / 254
            quantisation += abs(Double(w[k])) * step
        }
        return (sum, 0.5001 * quantisation + 1e-5 * (magnitude + quantisation * 127) + 1e-30)
    }

    @Test func threeMatricesAtOnceAreTheSameAsOneByOne() throws {
        var random = RandomSource(seed: 8)
        for threadCount in 1...4 {
            let context = try ComputeContext(threadCount: threadCount)
            let formats: [TensorFormat] = [.q4_1, .q8_0, .f16]
            let sizes = [601, 192, 33]
            let columns = 576
            let rows = 9
            let matrices = try zip(formats, sizes).map { format, size in
                try context.pack(
                    random.matrixBytes(format, rows: size, columns: columns), format, rows: size, columns: columns)
            }
            let x = random.activations(rows * columns)
            let activations = try context.makeActivations(rowCountMax: 16, columns: columns)
            context.load(x, rows: rows, into: activations)
            let stride = 640
            var outputs = [Float](repeating: 0, count: 3 * rows * stride)
            outputs.withUnsafeMutableBufferPointer { buffer in
                let products = matrices.indices.map {
                    Product(matrices[$0], into: buffer.baseAddress! + $0 * rows * stride, stride: stride)
                }
                context.multiply(activations, products[0], products[1], products[2])
            }
            for (index, matrix) in matrices.enumerated() {
                let expected = try context.product(matrix, x, rows: rows)
                for r in 0..<rows {
                    let start = (index * rows + r) * stride
                    #expect(
                        bits(Array(outputs[start..<start + matrix.rows]))
                            == bits(Array(expected[r * matrix.rows..<(r + 1) * matrix.rows])))
                    #expect(outputs[start + matrix.rows..<start + stride].allSatisfy { $0 == 0 }, "wrote beyond its rows")
                }
            }
        }
    }

    /// One row and a hundred give the same bits.
    @Test(arguments: InstructionSet.available) func rowsDoNotDependOnTheirCompany(_ set: InstructionSet) throws {
        var random = RandomSource(seed: 9)
        let context = try ComputeContext(threadCount: 1, instructionSet: set)
        for format in TensorFormat.allCases {
            let columns = 672
            let matrix = try context.pack(
                random.matrixBytes(format, rows: 33, columns: columns), format, rows: 33, columns: columns)
            let x = random.activations(100 * columns)
            let all = try context.product(matrix, x, rows: 100)
            for r in [0, 7, 50, 99] {
                let alone = try context.product(matrix, Array(x[r * columns..<(r + 1) * columns]), rows: 1)
                #expect(bits(alone) == bits(Array(all[r * 33..<(r + 1) * 33])))
            }
        }
    }

    @Test(arguments: InstructionSet.available, [Float.nan, .infinity, -.infinity, 3.0e38])
    func whatIsNotFiniteStaysSo(_ set: InstructionSet, _ value: Float) throws {
        var random = RandomSource(seed: 10)
        let context = try ComputeContext(threadCount: 1, instructionSet: set)
        for format in [TensorFormat.q4_0, .q4_1, .q8_0] {
            let matrix = try context.pack(
                random.matrixBytes(format, rows: 16, columns: 64), format, rows: 16, columns: 64)
            var x = random.values(3 * 64)
            x[64 + 40] = value
            x[64 + 41] = -3.0e38  // together with 3.0e38 the range overflows
            let found = try context.product(matrix, x, rows: 3)
            #expect(found[16..<32].allSatisfy { !$0.isFinite })
            #expect(found[0..<16].allSatisfy(\.isFinite) && found[32..<48].allSatisfy(\.isFinite))
        }
    }
}
