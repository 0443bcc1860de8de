import Tensors
import Testing

/// Values of packed rows against those of the PyPI package gguf, bit for bit.
@Suite struct FormatFixtureTests {
    @Test func everyFormatHasAFixture() throws {
        let fixtures = try FormatFixture.readAll()
        #expect(Set(fixtures.map(\.typeNumber)) == Set(TensorFormat.allCases.map(\.rawValue)))
        #expect(fixtures.allSatisfy { $0.rows == 3 && $0.columns == 512 })
    }

    @Test(arguments: TensorFormat.allCases) func packedRowsHaveTheValuesOfGGUF(_ format: TensorFormat) throws {
        let fixture = try #require(try FormatFixture.readAll().first { $0.typeNumber == format.rawValue })
        let columns = fixture.columns
        let context = try ComputeContext(threadCount: 1)
        let matrix = try context.pack(fixture.bytes, format, rows: fixture.rows, columns: columns)
        for row in 0..<fixture.rows {
            let expected = Array(fixture.values[row * columns..<(row + 1) * columns])
            let read = dequantised(fixture.bytes, format, row: row, columns: columns)
            #expect(difference(read, expected) == nil, "row \(row) read by the tests themselves")
            var packed = [Float](repeating: .nan, count: columns)
            packed.withUnsafeMutableBufferPointer { matrix.dequantizeRow(row, into: $0.baseAddress!) }
            #expect(difference(packed, expected) == nil, "row \(row)")
        }
    }
}
