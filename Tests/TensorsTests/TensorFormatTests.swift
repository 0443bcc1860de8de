import Tensors
import Testing

@Suite struct TensorFormatTests {
    @Test func sizesOfMatrices() {
        #expect(TensorFormat.q4_1.byteCount(rows: 3, columns: 64) == 3 * 2 * 20)
        #expect(TensorFormat.q8_0.byteCount(rows: 2, columns: 32) == 2 * 34)
        #expect(TensorFormat.bf16.byteCount(rows: 2, columns: 7) == 28)
        #expect(TensorFormat.q4_0.byteCount(rows: 2, columns: 33) == nil)
        #expect(TensorFormat.q5_0.byteCount(rows: 1, columns: 32) == 22)
        #expect(TensorFormat.q5_1.byteCount(rows: 1, columns: 32) == 24)
        #expect(TensorFormat.iq4_nl.byteCount(rows: 1, columns: 32) == 18)
        #expect(TensorFormat.q2_k.byteCount(rows: 3, columns: 512) == 3 * 2 * 84)
        #expect(TensorFormat.q3_k.byteCount(rows: 1, columns: 256) == 110)
        #expect(TensorFormat.q4_k.byteCount(rows: 1, columns: 256) == 144)
        #expect(TensorFormat.q5_k.byteCount(rows: 1, columns: 256) == 176)
        #expect(TensorFormat.q6_k.byteCount(rows: 1, columns: 256) == 210)
        #expect(TensorFormat.q6_k.byteCount(rows: 1, columns: 128) == nil)
        #expect(TensorFormat.f32.byteCount(rows: Int.max / 2, columns: 8) == nil)
        #expect(TensorFormat.f32.byteCount(rows: -1, columns: 8) == nil)
    }

    @Test func namesOfTypes() {
        #expect(
            Dictionary(uniqueKeysWithValues: TensorFormat.allCases.map { ($0.rawValue, $0.name) }) == [
                0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K", 11: "Q3_K",
                12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 20: "IQ4_NL", 30: "BF16",
            ])
        #expect(TensorFormat.name(ofTypeNumber: 16) == "IQ2_XXS")
        #expect(TensorFormat.name(ofTypeNumber: 99) == "type 99")
    }
}
