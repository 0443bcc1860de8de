import Models
import Tensors
import Testing

/// Files that are not what they claim: each is refused with a message that names the thing.
@Suite struct DamagedFileTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var message: String
        var kind: ModelError.Kind
        var writer: @Sendable () -> GGUFWriter
        var testDescription: String { message }

        init(
            _ message: String, _ kind: ModelError.Kind = .malformed,
            _ change: @escaping @Sendable (inout GGUFWriter) -> Void
        ) {
            self.message = message
            self.kind = kind
            writer = {
                var writer = GGUFWriter()
                writer.metadata = [("key", .u32(7))]
                writer.tensors = [
                    GGUFWriter.Tensor("t", .f32, columns: 8, rows: 4),
                    GGUFWriter.Tensor("u", .f32, columns: 8, rows: 4),
                ]
                change(&writer)
                return writer
            }
        }
    }

    static let headerCases = [
        Case("not a GGUF file: it begins with \"PK\\u{03}\\u{04}\", not \"GGUF\"") { $0.magic = "PK\u{3}\u{4}" },
        Case("GGUF version 1; versions 2 and 3 are read", .unsupported) { $0.version = 1 },
        Case("GGUF version 4; versions 2 and 3 are read", .unsupported) { $0.version = 4 },
        Case("a big-endian GGUF file", .unsupported) { $0.version = 0x0300_0000 },
        Case("claims 18446744073709551615 tensors") { $0.claimedTensorCount = .max },
        Case("claims 9223372036854775807 metadata keys") { $0.claimedMetadataCount = UInt64(Int.max) },
        Case("claims 60 metadata keys, but the file has room for") { $0.claimedMetadataCount = 60 },
        Case("metadata key \"key\" stands there twice") { $0.metadata.append(("key", .u8(1))) },
        Case("part 2 of a model split into 3 files", .unsupported) {
            $0.metadata += [("split.count", .u16(3)), ("split.no", .u16(1))]
        },
        Case("general.alignment is 0; it must be a power of two") {
            $0.metadata.append(("general.alignment", .u32(0)))
        },
        Case("general.alignment is 48; it must be a power of two") {
            $0.metadata.append(("general.alignment", .u32(48)))
        },
        Case("general.alignment is a string") { $0.metadata.append(("general.alignment", .string("32"))) },
        Case("metadata key \"a\" has value type 13; GGUF has types 0 to 12") {
            $0.metadata.append(("a", .array(elementType: 13, [])))
        },
        Case("metadata key \"deep\" nests arrays deeper than 4 levels", .unsupported) {
            var value = GGUFWriter.Value.int32s([1])
            for _ in 0..<4 { value = .array(elementType: 9, [value]) }
            $0.metadata.append(("deep", value))
        },
        Case("metadata key \"b\" is a boolean of value 2") {
            $0.metadata.append(("b", .array(elementType: 7, [.u8(2)])))
        },
    ]

    static let tensorCases = [
        Case("tensor \"t\" stands there twice") { $0.tensors[1].name = "t" },
        Case(
            "tensor \"t\" has type IQ4_XS, which is not supported; supported are F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, "
                + "Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, BF16",
            .unsupported
        ) {
            $0.tensors[0].typeNumber = 23
        },
        Case("tensor \"t\" has type Q8_1", .unsupported) { $0.tensors[0].typeNumber = 9 },
        Case("tensor \"t\" has type type 77", .unsupported) { $0.tensors[0].typeNumber = 77 },
        Case("tensor \"t\" has 0 dimensions") { $0.tensors[0].dimensions = [] },
        Case("tensor \"t\" has 5 dimensions") { $0.tensors[0].dimensions = [1, 1, 1, 1, 1] },
        Case("tensor \"t\" has a dimension of 0") { $0.tensors[0].dimensions = [8, 0] },
        Case("tensor \"t\" has a dimension of 18446744073709551615") { $0.tensors[0].dimensions = [8, .max] },
        Case("is larger than any file") { $0.tensors[0].dimensions = [8, 1 << 62] },
        Case("is larger than any file") { $0.tensors[0].dimensions = [8, 1 << 40, 1 << 40, 1 << 40] },
        Case("tensor \"t\" has rows of 8 elements, but Q4_0 packs blocks of 32") { $0.tensors[0].typeNumber = 2 },
        Case("tensor \"t\" has rows of 288 elements, but Q4_K packs blocks of 256") {
            $0.tensors[0] = GGUFWriter.Tensor("t", .q8_0, columns: 288)
            $0.tensors[0].typeNumber = 12
        },
        Case("tensor \"t\" has rows of 128 elements, but Q6_K packs blocks of 256") {
            $0.tensors[0] = GGUFWriter.Tensor("t", .f32, columns: 128, rows: 2)
            $0.tensors[0].typeNumber = 14
        },
        Case("tensor \"u\" (128 bytes at offset 160 of the tensor data) reaches beyond the end of the file") {
            $0.tensors[1].claimedOffset = 160
        },
        Case("reaches beyond the end of the file") { $0.tensors[1].claimedOffset = .max - 31 },
        Case("tensor \"u\" lies at offset 129, which is not a multiple of the alignment 32") {
            $0.tensors[1].claimedOffset = 129
        },
        Case("tensor \"t\" and tensor \"u\" overlap in the file") { $0.tensors[1].claimedOffset = 96 },
        Case("reaches beyond the end of the file") { $0.tensors[1].data = [] },
    ]

    @Test(arguments: headerCases + tensorCases)
    func isRefused(damage: Case) {
        let error = #expect(throws: ModelError.self) { _ = try ModelFile(damage.writer()) }
        #expect(error?.kind == damage.kind)
        #expect(error?.message.hasPrefix("test.gguf: ") == true)
        #expect(error?.message.contains(damage.message) == true, "\(error?.message ?? "no error")")
    }

    @Test func everyTruncationIsRefused() throws {
        let bytes = TinyModel.writer().bytes()
        let headerByteCount = try #require(ModelFile(bytes: bytes).tensors.map(\.offset).min())
        let lengths = Array(0..<min(600, bytes.count)) + stride(from: 600, to: headerByteCount + 64, by: 7)
        for length in lengths {
            #expect(throws: ModelError.self) { _ = try ModelFile(bytes: Array(bytes[..<length])) }
        }
        #expect(throws: ModelError.self) { _ = try ModelFile(bytes: Array(bytes.dropLast())) }
    }

    @Test func longOutsideTextIsCutInMessages() {
        var writer = GGUFWriter()
        let key = String(repeating: "k", count: 5000)
        writer.metadata = [(key, .u32(1)), (key, .u32(1))]
        let error = #expect(throws: ModelError.self) { _ = try ModelFile(writer) }
        #expect((error?.message.utf8.count ?? 0) < 200)
    }
}
