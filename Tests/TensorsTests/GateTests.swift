import CKernels
import Tensors
import Testing

/// The gated feed-forward in one operation against its parts one after the other.
@Suite struct GateTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var rows: Int
        var columns: Int
        /// Of the result: a multiple of 32 unless all weights are floats.
        var width: Int
        var gate: TensorFormat
        var up: TensorFormat
        var down: TensorFormat
        var testDescription: String { "\(rows) x \(columns) -> \(width), \(gate) \(up) \(down)" }
    }

    static let shapes = [
        Shape(rows: 1, columns: 64, width: 32, gate: .q4_0, up: .q4_0, down: .q8_0),
        Shape(rows: 3, columns: 64, width: 96, gate: .q8_0, up: .q4_1, down: .f32),
        Shape(rows: 17, columns: 128, width: 1312, gate: .q4_1, up: .q4_1, down: .q4_1),
        Shape(rows: 64, columns: 96, width: 544, gate: .q4_0, up: .f16, down: .q4_0),
        Shape(rows: 2, columns: 33, width: 41, gate: .f32, up: .bf16, down: .f16),
        Shape(rows: 5, columns: 33, width: 15, gate: .f32, up: .f32, down: .f32),
    ]

    @Test(arguments: InstructionSet.available, shapes) func sameBitsAsItsParts(
        _ set: InstructionSet, _ shape: Shape
    ) throws {
        var random = RandomSource(seed: 70)
        let x = random.activations(shape.rows * shape.columns)
        let (gateBytes, upBytes) = (
            random.matrixBytes(shape.gate, rows: shape.width, columns: shape.columns),
            random.matrixBytes(shape.up, rows: shape.width, columns: shape.columns)
        )
        let downBytes = random.matrixBytes(shape.down, rows: 24, columns: shape.width)
        for threadCount in 1...4 {
            let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
            let gate = try context.pack(gateBytes, shape.gate, rows: shape.width, columns: shape.columns)
            let up = try context.pack(upBytes, shape.up, rows: shape.width, columns: shape.columns)
            let down = try context.pack(downBytes, shape.down, rows: 24, columns: shape.width)
            let input = try context.makeActivations(rowCountMax: 64, columns: shape.columns)
            let target = try context.makeActivations(rowCountMax: 64, columns: shape.width)
            context.load(x, rows: shape.rows, into: input)

            let stride = 2 * shape.width + 3
            var products = [Float](repeating: 0, count: shape.rows * stride)
            products.withUnsafeMutableBufferPointer { products in
                let base = products.baseAddress!
                context.multiplyGated(
                    input, gate: Product(gate, into: base, stride: stride),
                    up: Product(up, into: base + shape.width, stride: stride), into: target)
            }
            #expect(target.rows == shape.rows)
            let found = context.product(of: target, down)

            var expectedProducts = [Float](repeating: 0, count: shape.rows * stride)
            expectedProducts.withUnsafeMutableBufferPointer { products in
                let base = products.baseAddress!
                context.multiply(
                    input, Product(gate, into: base, stride: stride),
                    Product(up, into: base + shape.width, stride: stride))
            }
            #expect(bits(products) == bits(expectedProducts))
            var gated = [Float]()
            for row in 0..<shape.rows {
                for column in 0..<shape.width {
                    let index = row * stride + column
                    gated.append(Numerics.silu(expectedProducts[index]) * expectedProducts[index + shape.width])
                }
            }
            context.load(gated, rows: shape.rows, into: target)
            #expect(bits(context.product(of: target, down)) == bits(found), "\(threadCount) threads")
        }
    }
}

extension ComputeContext {
    fileprivate func product(of activations: Activations, _ matrix: PackedMatrix) -> [Float] {
        var output = [Float](repeating: 0, count: activations.rows * matrix.rows)
        output.withUnsafeMutableBufferPointer {
            multiply(activations, Product(matrix, into: $0.baseAddress!, stride: matrix.rows))
        }
        return output
    }
}
