import CKernels
import Memory
import Tensors
import Testing

@Suite struct PackingTests {
    @Test(arguments: TensorFormat.allCases) func everyRowComesBackExactly(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 1)
        let context = try ComputeContext(threadCount: 2)
        for (rows, units) in [(1, 1), (16, 2), (17, 3), (47, 10), (5, 18)] {
            let columns = format.blockElementCount == 256 ? 256 * ((units + 2) / 3) : 32 * units
            let bytes = random.matrixBytes(
                format, rows: rows, columns: columns, scales: units == 3 ? .wild : .moderate)
            let matrix = try context.pack(bytes, format, rows: rows, columns: columns)
            #expect(matrix.rows == rows && matrix.columns == columns && matrix.format == format)
            var row = [Float](repeating: .nan, count: columns)
            for r in 0..<rows {
                row.withUnsafeMutableBufferPointer { matrix.dequantizeRow(r, into: $0.baseAddress!) }
                #expect(difference(row, dequantised(bytes, format, row: r, columns: columns)) == nil, "row \(r)")
            }
        }
    }

    @Test(arguments: [TensorFormat.f32, .f16, .bf16]) func floatFormatsTakeAnyColumnCount(_ format: TensorFormat) throws
    {
        var random = RandomSource(seed: 2)
        let context = try ComputeContext(threadCount: 1)
        for columns in [1, 3, 33] {
            let bytes = random.matrixBytes(format, rows: 19, columns: columns)
            let matrix = try context.pack(bytes, format, rows: 19, columns: columns)
            var row = [Float](repeating: .nan, count: columns)
            row.withUnsafeMutableBufferPointer { matrix.dequantizeRow(18, into: $0.baseAddress!) }
            #expect(difference(row, dequantised(bytes, format, row: 18, columns: columns)) == nil)
        }
    }

    @Test(arguments: TensorFormat.allCases) func packedBytesDependOnTheWeightsOnly(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 3)
        let columns = format.blockElementCount == 256 ? 256 : 96
        let bytes = random.matrixBytes(format, rows: 531, columns: columns)
        let packed = try (1...4).flatMap { threadCount in
            try InstructionSet.available.map { set in
                let context = try ComputeContext(threadCount: threadCount, instructionSet: set)
                let matrix = try context.pack(bytes, format, rows: 531, columns: columns)
                return [UInt8](UnsafeRawBufferPointer(start: matrix.bytes.base, count: matrix.byteCount))
            }
        }
        let allAreTheSame = packed.allSatisfy { $0 == packed[0] }
        #expect(allAreTheSame)
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
        #expect(message(40, .q8_0, 1, 40).contains("40 columns are not a multiple of 32, as Q8_0 needs"))
        for format in TensorFormat.quantised where format.blockElementCount == 256 {
            for columns in [1, 32, 128, 255, 288, 480] {
                let byteCount = (columns + 255) / 256 * format.blockByteCount * 2
                let expected = "\(columns) columns are not a multiple of 256, as \(format.name) needs"
                #expect(message(byteCount, format, 2, columns).contains(expected))
            }
            #expect(message(format.blockByteCount, format, 2, 256).contains("bytes, but"))
        }
        #expect(message(0, .f32, 0, 4).contains("0 x 4"))
        #expect(message(4, .f32, -1, 4).contains("-1 x 4"))
        #expect(message(4, .f32, Int.max, Int.max).contains("cannot be packed"))
    }

    /// Every scale of a block, in the first block of a row and in its last one, infinite or not a number. Row 37 is
    /// named although row 50 is damaged too.
    @Test(arguments: TensorFormat.quantised) func nonFiniteScalesAreRefused(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 4)
        let context = try ComputeContext(threadCount: 3)
        let (rows, columns) = (70, 512)
        let sound = random.matrixBytes(format, rows: rows, columns: columns, scales: .wild)
        let rowByteCount = sound.count / rows
        for offset in format.halfOffsets {
            for start in [0, rowByteCount - format.blockByteCount] {
                for half in [UInt16(0x7c00), 0xfc00, 0x7e00, 0xffff, 0x7c01] {
                    var bytes = sound
                    for row in [37, 50] {
                        let at = row * rowByteCount + start + offset
                        bytes[at] = UInt8(truncatingIfNeeded: half)
                        bytes[at + 1] = UInt8(half >> 8)
                    }
                    let error = #expect(throws: TensorError.self, "scale \(half) at \(start) + \(offset)") {
                        try context.pack(bytes, format, rows: rows, columns: columns)
                    }
                    #expect(error?.kind == .nonFinite)
                    #expect(error?.message.contains("row 37 has a scale that is infinite") == true)
                }
            }
        }
        _ = try context.pack(sound, format, rows: rows, columns: columns)
    }

    /// The bits that stand for no scale may be anything: those of an infinity too.
    @Test(arguments: TensorFormat.quantised) func integersAreNotTakenForScales(_ format: TensorFormat) throws {
        var bytes = [UInt8](repeating: 0xff, count: format.byteCount(rows: 3, columns: 256) ?? 0)
        for block in 0..<bytes.count / format.blockByteCount {
            for offset in format.halfOffsets { bytes[block * format.blockByteCount + offset + 1] = 0x3c }
        }
        _ = try ComputeContext(threadCount: 1).pack(bytes, format, rows: 3, columns: 256)
    }

    @Test(arguments: [TensorFormat.f32, .f16, .bf16]) func nonFiniteWeightsAreRefused(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 4)
        let context = try ComputeContext(threadCount: 3)
        let (rows, columns) = (70, 64)
        let sound = random.matrixBytes(format, rows: rows, columns: columns)
        let patterns: [UInt32] =
            switch format {
            case .f32: [0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0xff80_0001]
            case .f16: [0x7c00, 0xfc00, 0x7e00, 0xfc01]
            default: [0x7f80, 0xff80, 0x7fc0, 0xff81]
            }
        for column in [0, 17, 63] {
            for pattern in patterns {
                var bytes = sound
                for row in [37, 50] {
                    for index in 0..<format.blockByteCount {
                        let at = (row * columns + column) * format.blockByteCount + index
                        bytes[at] = UInt8(truncatingIfNeeded: pattern >> (8 * UInt32(index)))
                    }
                }
                let error = #expect(throws: TensorError.self) {
                    try context.pack(bytes, format, rows: rows, columns: columns)
                }
                #expect(error?.kind == .nonFinite)
                #expect(error?.message.contains("row 37 has a weight that is infinite") == true)
            }
        }
    }
}
