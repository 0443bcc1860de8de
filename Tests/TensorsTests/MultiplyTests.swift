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
            let blocks = Int.random(in: format.blockElementCount == 256 ? 1...6 : 1...45, using: &random)
            let columns = format.isQuantised ? format.columns(blocks) : Int.random(in: 1...300, using: &random)
            return Shape(rows: .random(in: 1...90, using: &random), columns: columns, activationRows: activationRows)
        }
    }

    /// The oracle itself against plain Swift that reads the file's blocks.
    @Test(arguments: TensorFormat.allCases, [RandomSource.Scales.moderate, .wild])
    func scalarGivesTheBitsOfTheDefinition(_ format: TensorFormat, _ scales: RandomSource.Scales) throws {
        var random = RandomSource(seed: UInt64(format.rawValue) + 70)
        let context = try ComputeContext(threadCount: 1, instructionSet: .scalar)
        let units = format.blockElementCount == 256 ? [1, 2, 6] : [1, 2, 3, 8, 16, 33]
        for (index, unitCount) in units.enumerated() {
            let columns = format.columns(unitCount)
            for (rows, activationRows) in [(1, 1), (15, 8), (16, 2), (17, 9), (35, 33)] {
                let bytes = random.matrixBytes(format, rows: rows, columns: columns, scales: scales)
                let matrix = try context.pack(bytes, format, rows: rows, columns: columns)
                let x = random.activations(activationRows * columns)
                let old = (index + rows) % 2 == 0 ? nil : random.values(activationRows * rows)
                let expected = referenceProduct(bytes, format, rows: rows, columns: columns, x, addingTo: old)
                let found = try context.product(matrix, x, rows: activationRows, addingTo: old)
                #expect(
                    difference(found, expected) == nil, "\(rows) x \(columns), \(activationRows) rows of activations")
            }
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
            #expect(difference(found, expected) == nil, "\(shape)")
        }
    }

    /// All integers and their groups' scales at their ends against activations at theirs: the largest sums that can be.
    @Test(arguments: TensorFormat.quantised) func extremeWeightsDoNotSaturate(_ format: TensorFormat) throws {
        let columns = 512
        for pattern in [UInt8(0xff), 0x00, 0x80, 0x7f, 0xf0, 0x0f, 0xaa, 0x55] {
            var bytes = [UInt8](repeating: pattern, count: format.byteCount(rows: 16, columns: columns) ?? 0)
            for block in 0..<bytes.count / format.blockByteCount {
                for (index, offset) in format.halfOffsets.enumerated() {  // scale 1, minimum -1
                    let at = block * format.blockByteCount + offset
                    bytes.replaceSubrange(at..<at + 2, with: [0, index == 0 ? 0x3c : 0xbc])
                }
            }
            let scalar = try ComputeContext(threadCount: 1, instructionSet: .scalar)
            let matrix = try scalar.pack(bytes, format, rows: 16, columns: columns)
            for high in [Float(1), -1] {
                var x = [Float](repeating: high, count: 20 * columns)
                for k in stride(from: 0, to: x.count, by: 32) { x[k] = -high }
                for rows in [1, 3, 20] {
                    let expected = referenceProduct(
                        bytes, format, rows: 16, columns: columns, Array(x[..<(rows * columns)]))
                    for set in InstructionSet.available {
                        let context = try ComputeContext(threadCount: 1, instructionSet: set)
                        let found = try context.product(matrix, x, rows: rows)
                        #expect(difference(found, expected) == nil, "\(set) \(pattern)")
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
            var worst = 0.0
            for n in 0..<shape.rows {
                let w = dequantised(bytes, format, row: n, columns: shape.columns).map(Double.init)
                let sizes =
                    format.isQuantised
                    ? fileRow(bytes, format, row: n, columns: shape.columns).magnitudes : w.map(abs)
                for r in 0..<shape.activationRows {
                    let row = x[r * shape.columns..<(r + 1) * shape.columns]
                    let (exact, bound) = Self.exactProduct(w, sizes, Array(row), isQuantised: format.isQuantised)
                    let error = abs(Double(found[r * shape.rows + n]) - exact)
                    worst = max(worst, error.isNaN ? .infinity : error / bound)
                }
            }
            #expect(worst <= 1, "\(shape): the error is \(worst) times as large as it may be")
        }
    }

    /// The product in float64, and how far off it may be: half a quantisation step of each activation, and rounding.
    private static func exactProduct(
        _ w: [Double], _ sizes: [Double], _ x: [Float], isQuantised: Bool
    ) -> (Double, Double) {
        var sum = 0.0
        var quantisation = 0.0
        var rounding = 0.0
        for first in stride(from: 0, to: x.count, by: 32) {
            let columns = first..<min(first + 32, x.count)
            let (low, high) = (min(0, x[columns].min() ?? 0), max(0, x[columns].max() ?? 0))
            let step = isQuantised ? Double(high - low) / 254 : 0
            for k in columns {
                sum += w[k] * Double(x[k])
                quantisation += abs(w[k]) * step / 2
                // Integers reach 127 steps beyond the value itself, and as many are taken off again.
                rounding += sizes[k] * (abs(Double(x[k])) + 254 * step)
            }
        }
        return (sum, 1.0002 * quantisation + 1e-5 * rounding + 1e-30)
    }

    @Test func threeMatricesAtOnceAreTheSameAsOneByOne() throws {
        var random = RandomSource(seed: 8)
        let mixes: [[TensorFormat]] = [
            [.q4_1, .q8_0, .f16], [.q4_k, .q6_k, .q4_k], [.q5_0, .q3_k, .iq4_nl], [.q2_k, .f32, .q5_1],
            [.q5_k, .q4_0, .bf16],
        ]
        for (threadCount, formats) in (1...4).flatMap({ count in mixes.map { (count, $0) } }) {
            let context = try ComputeContext(threadCount: threadCount)
            let sizes = [601, 192, 33]
            let columns = 768
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
                        difference(
                            outputs[start..<start + matrix.rows], expected[r * matrix.rows..<(r + 1) * matrix.rows])
                            == nil)
                    #expect(
                        outputs[start + matrix.rows..<start + stride].allSatisfy { $0 == 0 }, "wrote beyond its rows")
                }
            }
        }
    }

    /// One row and a hundred give the same bits.
    @Test(arguments: InstructionSet.available) func rowsDoNotDependOnTheirCompany(_ set: InstructionSet) throws {
        var random = RandomSource(seed: 9)
        let context = try ComputeContext(threadCount: 1, instructionSet: set)
        for format in TensorFormat.allCases {
            let columns = 768
            let matrix = try context.pack(
                random.matrixBytes(format, rows: 33, columns: columns), format, rows: 33, columns: columns)
            let x = random.activations(100 * columns)
            let all = try context.product(matrix, x, rows: 100)
            for r in [0, 7, 50, 99] {
                let alone = try context.product(matrix, Array(x[r * columns..<(r + 1) * columns]), rows: 1)
                #expect(difference(alone, all[r * 33..<(r + 1) * 33]) == nil)
            }
        }
    }

    @Test(arguments: InstructionSet.available, [Float.nan, .infinity, -.infinity, 3.0e38])
    func whatIsNotFiniteStaysSo(_ set: InstructionSet, _ value: Float) throws {
        var random = RandomSource(seed: 10)
        let context = try ComputeContext(threadCount: 1, instructionSet: set)
        for format in TensorFormat.quantised {
            let matrix = try context.pack(
                random.matrixBytes(format, rows: 16, columns: 256), format, rows: 16, columns: 256)
            var x = random.values(3 * 256)
            x[256 + 40] = value
            x[256 + 41] = -3.0e38  // together with 3.0e38 the range overflows
            let found = try context.product(matrix, x, rows: 3)
            #expect(found[16..<32].allSatisfy { !$0.isFinite })
            #expect(found[0..<16].allSatisfy(\.isFinite) && found[32..<48].allSatisfy(\.isFinite))
        }
    }
}
