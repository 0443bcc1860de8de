import CKernels
import Memory
import Tensors
import Testing

@Suite struct PackingTests {
    @Test(arguments: TensorFormat.allCases) func everyRowComesBackExactly(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 1)
        let context = try ComputeContext(threadCount: 2)
        for (rows, columns) in [(1, 32), (16, 64), (17, 96), (47, 320), (5, 576)] {
            let bytes = random.matrixBytes(format, rows: rows, columns: columns)
            let matrix = try context.pack(bytes, format, rows: rows, columns: columns)
            #expect(matrix.rows == rows && matrix.columns == columns && matrix.format == format)
            var row = [Float](repeating: .nan, count: columns)
            for r in 0..<rows {
                row.withUnsafeMutableBufferPointer { matrix.dequantizeRow(r, into: $0.baseAddress!) }
                #expect(bits(row) == bits(dequantised(bytes, format, row: r, columns: columns)), "row \(r)")
            }
        }
    }

    @Test(arguments: [TensorFormat.f32, .f16, .bf16]) func floatFormatsTakeAnyColumnCount(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 2)
        let context = try ComputeContext(threadCount: 1)
        for columns in [1, 3, 33] {
            let bytes = random.matrixBytes(format, rows: 19, columns: columns)
            let matrix = try context.pack(bytes, format, rows: 19, columns: columns)
            var row = [Float](repeating: .nan, count: columns)
            row.withUnsafeMutableBufferPointer { matrix.dequantizeRow(18, into: $0.baseAddress!) }
            #expect(bits(row) == bits(dequantised(bytes, format, row: 18, columns: columns)))
        }
    }

    @Test(arguments: TensorFormat.allCases) func packedBytesDependOnTheWeightsOnly(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 3)
        let bytes = random.matrixBytes(format, rows: 531, columns: 96)
        let packed = try (1...4).flatMap { threadCount in
            try InstructionSet.available.map { set in
                let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
                let matrix = try context.pack(bytes, format, rows: 531, columns: 96)
                return [UInt8](UnsafeRawBufferPointer(start: matrix.bytes.base, count: matrix.byteCount))
            }
        }
        #expect(packed.allSatisfy { $0 == packed[0] })
    }

    @Test func wrongSizesAreRefused() throws {
        let context = try ComputeContext(threadCount: 1)
        func message(_ byteCount: Int, _ format: TensorFormat, _ rows: Int, _ columns: Int) -> String {
            do {
                _ = try context.pack([UInt8](repeating: 0, count: byteCount), format, rows: rows, columns: columns)
                return "packed"
            } catch { return "\(error)" }
        }
        #expect(message(39, .q4_1, 2, 32).contains("has 40 bytes, but 39 were given"))
        #expect(message(41, .q4_1, 2, 32).contains("has 40 bytes, but 41 were given"))
        #expect(message(40, .q4_1, 2, 33).contains("33 columns are not a multiple of 32"))
        #expect(message(0, .f32, 0, 4).contains("0 x 4"))
        #expect(message(4, .f32, -1, 4).contains("-1 x 4"))
        #expect(message(4, .f32, Int.max, Int.max).contains("cannot be packed"))
    }

    @Test(arguments: TensorFormat.allCases) func nonFiniteValuesAreRefused(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 4)
        let context = try ComputeContext(threadCount: 3)
        let rows = 70
        let columns = 64
        var bytes = random.matrixBytes(format, rows: rows, columns: columns)
        let rowByteCount = bytes.count / rows
        // An infinity in row 37's second block (or somewhere in the row), not a number in row 50.
        for (row, high) in [(37, UInt8(0x7c)), (50, UInt8(0xff))] {
            let at = row * rowByteCount + (format.isQuantised ? format.blockByteCount : 8)
            let value: [UInt8] =
                switch format {
                case .f32: [0, 0, 0x80, 0x7f]
                case .bf16: [0x80, 0x7f]
                default: [0, high]
                }
            bytes.replaceSubrange(at..<at + value.count, with: value)
        }
        let error = #expect(throws: TensorError.self) {
            try context.pack(bytes, format, rows: rows, columns: columns)
        }
        #expect(error?.kind == .nonFinite)
        #expect(error?.message.contains("row 37") == true)
    }

    @Test func aNonFiniteMinimumIsRefused() throws {
        let context = try ComputeContext(threadCount: 1)
        var bytes = [UInt8](repeating: 0, count: 20)
        bytes[3] = 0x7c
        #expect(throws: TensorError.self) { try context.pack(bytes, .q4_1, rows: 1, columns: 32) }
    }
}
