import CKernels
import Memory
import Synchronization
import Tensors
import Testing

/// Packing out of files, which are read piece by piece.
@Suite struct SourcePackingTests {
    /// Packing reads every byte of its source once, in pieces that threads share, and says how far it is.
    @Test(arguments: 1...4) func sourcesAreReadInPieces(_ threadCount: Int) throws {
        var random = RandomSource(seed: 5)
        let context = try ComputeContext(threadCount: threadCount)
        // Rows of 24 KiB: less than a panel of them is a piece.
        let shape = try PackedShape(format: .f32, rows: 117, columns: 6000)
        let bytes = random.matrixBytes(.f32, rows: 117, columns: 6000)
        let ranges = Mutex<[Range<Int>]>([])
        var progress: [Int] = []
        let place = try context.reserve(shape)
        let matrix = try context.pack(into: place) {
            progress.append($0)
        } read: { range, target in
            ranges.withLock { $0.append(range) }
            bytes.withUnsafeBytes {
                target.copyMemory(from: $0.baseAddress! + range.lowerBound, byteCount: range.count)
            }
        }
        let sorted = ranges.withLock { $0.sorted { $0.lowerBound < $1.lowerBound } }
        #expect(sorted.count == 8)
        #expect(sorted.first?.lowerBound == 0 && sorted.last?.upperBound == bytes.count)
        #expect(zip(sorted, sorted.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        #expect(progress.last == shape.sourceByteCount)
        let whole = try context.pack(bytes, .f32, rows: 117, columns: 6000)
        #expect(
            UnsafeRawBufferPointer(start: matrix.bytes.base, count: matrix.byteCount).elementsEqual(
                UnsafeRawBufferPointer(start: whole.bytes.base, count: whole.byteCount)))
    }
    @Test func largeSourcesReportProgress() throws {
        let context = try ComputeContext(threadCount: 2)
        // 160 MiB of zeros, which are not even there.
        let shape = try PackedShape(format: .f32, rows: 2560, columns: 16_384)
        var progress: [Int] = []
        _ = try context.pack(into: try context.reserve(shape)) {
            progress.append($0)
        } read: { range, target in
            target.initializeMemory(as: UInt8.self, repeating: 0, count: range.count)
        }
        #expect(progress.count == 3)
        #expect(zip(progress, progress.dropFirst()).allSatisfy { $0 < $1 })
        #expect(progress.last == shape.sourceByteCount)
    }

    private struct Broken: Error, CustomStringConvertible {
        let description = "the disk is gone"
    }

    @Test func whatReadingThrowsIsSaid() throws {
        let context = try ComputeContext(threadCount: 3)
        let shape = try PackedShape(format: .f32, rows: 1000, columns: 1000)
        let error = #expect(throws: TensorError.self) {
            try context.pack(into: try context.reserve(shape)) { range, _ in
                if range.lowerBound > 1 << 20 { throw Broken() }
            }
        }
        #expect(error == TensorError(.unreadable, "the disk is gone"))
        // The context is as good as before.
        _ = try context.pack([UInt8](repeating: 0, count: 64), .f32, rows: 1, columns: 16)
    }

    @Test(arguments: TensorFormat.allCases) func rowsAreReadWithoutPacking(_ format: TensorFormat) throws {
        var random = RandomSource(seed: 6)
        let columns = 8 * format.blockElementCount
        var bytes = random.matrixBytes(format, rows: 1, columns: columns)
        let shape = try PackedShape(format: format, rows: 1, columns: columns)
        var row = [Float](repeating: .nan, count: columns)
        try bytes.withUnsafeBytes { bytes in
            try row.withUnsafeMutableBufferPointer { try shape.dequantizeRow(bytes, into: $0.baseAddress!) }
        }
        let context = try ComputeContext(threadCount: 1)
        let matrix = try context.pack(bytes, format, rows: 1, columns: columns)
        var expected = [Float](repeating: .nan, count: columns)
        expected.withUnsafeMutableBufferPointer { matrix.dequantizeRow(0, into: $0.baseAddress!) }
        #expect(bits(row) == bits(expected))
        guard format == .f32 else { return }
        bytes.replaceSubrange(8..<12, with: [0, 0, 0x80, 0xff])
        let error = #expect(throws: TensorError.self) {
            try bytes.withUnsafeBytes { bytes in
                try row.withUnsafeMutableBufferPointer { try shape.dequantizeRow(bytes, into: $0.baseAddress!) }
            }
        }
        #expect(error?.kind == .nonFinite)
    }
}
