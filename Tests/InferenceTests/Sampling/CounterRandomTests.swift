import Inference
import Testing

@Suite struct CounterRandomTests {
    /// The known answers that the authors of Philox publish (Random123, kat_vectors).
    @Test func knownAnswers() {
        #expect(
            CounterRandom.philox(counter: SIMD4(0, 0, 0, 0), key: SIMD2(0, 0))
                == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        #expect(
            CounterRandom.philox(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
                == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        #expect(
            CounterRandom.philox(
                counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
                key: SIMD2(0xa409_3822, 0x299f_31d0))
                == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    @Test func uniformNumbersAreUniform() {
        let count = 100_000
        var bins = [Int](repeating: 0, count: 64)
        for position in 0..<count {
            let number = CounterRandom.uniform(seed: 42, choice: 0, position: position, draw: 0)
            #expect(number >= 0 && number < 1)
            bins[Int(number * 64)] += 1
        }
        let expected = Double(count) / 64
        let chiSquare = bins.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        #expect(chiSquare < 120, "63 degrees of freedom: above 120 once in 20,000")
    }

    @Test func everyPartOfTheKeyCounts() {
        let base = CounterRandom.uniform(seed: 1, choice: 2, position: 3, draw: 4)
        #expect(base == CounterRandom.uniform(seed: 1, choice: 2, position: 3, draw: 4))
        #expect(base != CounterRandom.uniform(seed: 1 | 1 << 63, choice: 2, position: 3, draw: 4))
        #expect(base != CounterRandom.uniform(seed: 2, choice: 2, position: 3, draw: 4))
        #expect(base != CounterRandom.uniform(seed: 1, choice: 3, position: 3, draw: 4))
        #expect(base != CounterRandom.uniform(seed: 1, choice: 2, position: 3 + 1 << 40, draw: 4))
        #expect(base != CounterRandom.uniform(seed: 1, choice: 2, position: 3, draw: 5))
    }
}
