import Tensors
import Testing

@Suite struct TensorFormatTests {
    @Test func sizesOfMatrices() {
        #expect(TensorFormat.q4_1.byteCount(rows: 3, columns: 64) == 3 * 2 * 20)
        #expect(TensorFormat.q8_0.byteCount(rows: 2, columns: 32) == 2 * 34)
        #expect(TensorFormat.bf16.byteCount(rows: 2, columns: 7) == 28)
        #expect(TensorFormat.q4_0.byteCount(rows: 2, columns: 33) == nil)
        #expect(TensorFormat.f32.byteCount(rows: Int.max / 2, columns: 8) == nil)
        #expect(TensorFormat.f32.byteCount(rows: -1, columns: 8) == nil)
    }

    @Test func namesOfTypes() {
        #expect(TensorFormat.allCases.map(\.name) == ["F32", "F16", "Q4_0", "Q4_1", "Q8_0", "BF16"])
        #expect(TensorFormat.name(ofTypeNumber: 12) == "Q4_K")
        #expect(TensorFormat.name(ofTypeNumber: 99) == "type 99")
    }
}
