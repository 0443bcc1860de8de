import Foundation
import Models
import Tensors
import Testing

@Suite struct ModelFileTests {
    @Test func readsEveryMetadataType() throws {
        var writer = GGUFWriter()
        writer.metadata = [
            ("u8", .u8(200)), ("i8", .i8(-8)), ("u16", .u16(65_000)), ("i16", .i16(-16)), ("u32", .u32(4_000_000_000)),
            ("i32", .i32(-32)), ("u64", .u64(.max)), ("i64", .i64(.min)), ("f32", .f32(0.1)), ("f64", .f64(0.1)),
            ("bool", .bool(true)), ("string", .string("naïve")), ("strings", .strings(["a", "", "ü"])),
            ("int32s", .int32s([1, -2])), ("empty", .array(elementType: 6, [])),
            ("flags", .array(elementType: 7, [.bool(false), .bool(true)])),
            (
                "nested",
                .array(elementType: 9, [.int32s([1]), .array(elementType: 9, [.strings(["deep"])])])
            ),
        ]
        let metadata = try ModelFile(writer).metadata
        #expect(metadata.count == 17)
        #expect(metadata["u8"] == .unsigned(200))
        #expect(metadata["i8"] == .signed(-8))
        #expect(metadata["u16"]?.integer == 65_000)
        #expect(metadata["i16"]?.integer == -16)
        #expect(metadata["u32"]?.integer == 4_000_000_000)
        #expect(metadata["i32"]?.number == -32)
        #expect(metadata["u64"] == .unsigned(.max))
        #expect(metadata["u64"]?.integer == nil)
        #expect(metadata["i64"]?.integer == Int.min)
        #expect(metadata["f32"]?.number == Double(Float(0.1)))
        #expect(metadata["f64"] == .floating(0.1))
        #expect(metadata["bool"]?.boolean == true)
        #expect(metadata["string"]?.string == "naïve")
        let strings = try #require(metadata["strings"]?.array?.strings)
        #expect((0..<strings.count).map { strings[$0] } == ["a", "", "ü"])
        #expect(metadata["int32s"]?.array?.integers == [1, -2])
        #expect(metadata["empty"]?.array?.count == 0)
        #expect(metadata["flags"]?.array == .booleans([false, true]))
        guard case .array(.arrays(let outer)) = metadata["nested"] else {
            Issue.record("nested array is \(String(describing: metadata["nested"]))")
            return
        }
        #expect(outer.first?.integers == [1])
        guard case .arrays(let inner) = outer.last else {
            Issue.record("inner array is \(String(describing: outer.last))")
            return
        }
        #expect(inner.first?.strings?[0] == "deep")
    }

    @Test(arguments: [2, 3] as [UInt32], [8, 32, 64, 4096])
    func readsTensorsOfBothVersionsAndAnyAlignment(version: UInt32, alignment: Int) throws {
        var writer = GGUFWriter()
        writer.version = version
        writer.alignment = alignment
        if alignment != 32 { writer.metadata = [("general.alignment", .u32(UInt32(alignment)))] }
        writer.tensors = [
            GGUFWriter.Tensor("first", .f32, columns: 3, rows: 2, data: Array(0..<24)),
            GGUFWriter.Tensor("second", .q4_0, columns: 64, data: Array(100..<136)),
        ]
        writer.tensors[0].dimensions = [3, 1, 2]
        let file = try ModelFile(writer)
        #expect(file.version == version)
        #expect(file.tensors.map(\.name) == ["first", "second"])
        let first = try #require(file.tensor("first"))
        #expect((first.format, first.columns, first.rows, first.byteCount) == (.f32, 3, 2, 24))
        #expect(first.dimensions == [3, 1, 2])
        #expect(first.offset % alignment == 0)
        #expect(Array(file.bytes(of: first)) == Array(0..<24))
        let second = try #require(file.tensor("second"))
        #expect((second.format, second.columns, second.rows, second.byteCount) == (.q4_0, 64, 1, 36))
        #expect(Array(file.bytes(of: second)) == Array(100..<136))
        #expect(file.tensor("third") == nil)
    }

    @Test(arguments: TensorFormat.allCases) func readsTensorsOfEveryFormat(_ format: TensorFormat) throws {
        let columns = format.isQuantised ? 3 * format.blockElementCount : 7
        let byteCount = try #require(format.byteCount(rows: 5, columns: columns))
        let data = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var writer = GGUFWriter()
        writer.tensors = [
            GGUFWriter.Tensor("before", .f32, columns: 3, data: Array(0..<12)),
            GGUFWriter.Tensor("t", format, columns: columns, rows: 5, data: data),
            GGUFWriter.Tensor("behind", .f32, columns: 1, data: [1, 2, 3, 4]),
        ]
        let file = try ModelFile(writer)
        let tensor = try #require(file.tensor("t"))
        #expect((tensor.format, tensor.columns, tensor.rows, tensor.byteCount) == (format, columns, 5, byteCount))
        #expect(file.bytes(of: tensor).elementsEqual(data))
        #expect(file.tensor("behind").map { Array(file.bytes(of: $0)) } == [1, 2, 3, 4])
    }

    /// Rows that are not whole blocks: a value more or less, and for the K formats an eighth of a block.
    @Test(arguments: TensorFormat.allCases) func rowsOfPartialBlocksAreRefused(_ format: TensorFormat) throws {
        guard format.isQuantised else { return }
        let block = format.blockElementCount
        for columns in Set([1, block - 1, block + 1, 2 * block - 1, block / 2, block + block / 8]) {
            var writer = GGUFWriter()
            let data = [UInt8](repeating: 0, count: 2 * 3 * format.blockByteCount)
            writer.tensors = [GGUFWriter.Tensor("t", format, columns: columns, rows: 3, data: data)]
            expect(
                "tensor \"t\" has rows of \(columns) elements, but \(format.name) packs blocks of \(block)", .malformed
            ) { _ = try ModelFile(writer) }
        }
    }

    @Test func readsAFileByMapAndByPieces() throws {
        let path = NSTemporaryDirectory() + "shardline-models-\(UUID().uuidString).gguf"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var writer = GGUFWriter()
        let data = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        writer.tensors = [GGUFWriter.Tensor("t", .f16, columns: 50_000, data: data)]
        try Data(writer.bytes()).write(to: URL(fileURLWithPath: path))
        let file = try ModelFile(path: path)
        let tensor = try #require(file.tensor("t"))
        #expect(file.bytes(of: tensor).elementsEqual(data))
        for range in [0..<100_000, 0..<1, 99_999..<100_000, 4095..<20_481, 7..<7] {
            var read = [UInt8](repeating: 0, count: range.count + 1)
            try read.withUnsafeMutableBytes { try file.read(range, of: tensor, into: $0.baseAddress!) }
            #expect(read.dropLast().elementsEqual(data[range]) && read.last == 0)
        }
        file.dropPages(of: tensor)
        #expect(file.bytes(of: tensor).elementsEqual(data))
        file.willRead(0..<100_000, of: tensor)
        let modified = try #require(file.modificationNanoseconds)
        #expect(abs(Double(modified) / 1e9 - Date().timeIntervalSince1970) < 3600)
        #expect(try file.fingerprint == ModelFile(writer).fingerprint)
    }

    @Test func aFileCutShortIsAnError() throws {
        let path = NSTemporaryDirectory() + "shardline-models-\(UUID().uuidString).gguf"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var writer = GGUFWriter()
        writer.tensors = [GGUFWriter.Tensor("t", .f16, columns: 50_000, data: [UInt8](repeating: 1, count: 100_000))]
        try Data(writer.bytes()).write(to: URL(fileURLWithPath: path))
        let file = try ModelFile(path: path)
        let tensor = try #require(file.tensor("t"))
        #expect(truncate(path, off_t(tensor.offset + 50_000)) == 0)
        var read = [UInt8](repeating: 0, count: 100_000)
        try read.withUnsafeMutableBytes { try file.read(0..<50_000, of: tensor, into: $0.baseAddress!) }
        expect("\(path): ends at byte \(tensor.offset + 50_000) instead of", .unreadable) {
            try read.withUnsafeMutableBytes { try file.read(0..<50_001, of: tensor, into: $0.baseAddress!) }
        }
    }

    @Test func namesWhatCannotBeOpened() {
        let folder = NSTemporaryDirectory()
        let missing = folder + "no-such-model.gguf"
        expect("\(missing): cannot be opened: No such file or directory", .unreadable) {
            _ = try ModelFile(path: missing)
        }
        expect("\(folder): is not a regular file; name a .gguf file", .unreadable) { _ = try ModelFile(path: folder) }
    }

    @Test func fingerprintCoversHeaderSizeAndTensorEdges() throws {
        var writer = GGUFWriter()
        writer.metadata = [("k", .u32(1))]
        writer.tensors = [GGUFWriter.Tensor("t", .f32, columns: 5000)]
        let original = try ModelFile(writer).fingerprint
        // SHA-256 of header, size and edges, computed with Python's hashlib.
        #expect(original == "db573ea1d37aa8d7b29200dd2f532c944851879d7076621099cfff13752ff0dd")
        #expect(try ModelFile(writer).fingerprint == original)

        func changed(_ change: (inout GGUFWriter) -> Void) throws -> String {
            var copy = writer
            change(&copy)
            return try ModelFile(copy).fingerprint
        }
        #expect(try changed { $0.metadata[0].value = .u32(2) } != original)
        #expect(try changed { $0.tensors[0].data[0] = 1 } != original)
        #expect(try changed { $0.tensors[0].data[4095] = 1 } != original)
        #expect(try changed { $0.tensors[0].data[19_999] = 1 } != original)
        #expect(try changed { $0.tensors[0].data += [0] } != original)
        #expect(try changed { $0.tensors[0].data[10_000] = 1 } == original)
    }

    /// Checks that `body` throws an error of this kind whose message contains `part`.
    private func expect(_ part: String, _ kind: ModelError.Kind, _ body: () throws -> Void) {
        let error = #expect(throws: ModelError.self, performing: body)
        #expect(error?.kind == kind)
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "no error")")
    }
}
