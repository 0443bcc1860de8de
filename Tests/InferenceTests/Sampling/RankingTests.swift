import Inference
import Testing
import Vocabulary

@Suite struct RankingTests {
    @Test func keysOrderByLogitThenById() {
        let logits: [Float] = [
            -.infinity, -.greatestFiniteMagnitude, -1, -.leastNonzeroMagnitude, 0, .leastNonzeroMagnitude, 1, 3e38,
        ]
        for (low, high) in zip(logits, logits.dropFirst()) {
            #expect(RankKey(logit: low, token: 0) < RankKey(logit: high, token: 9))
        }
        #expect(RankKey(logit: 1, token: 8) < RankKey(logit: 1, token: 7))
        #expect(RankKey(logit: -0.0, token: 7) > RankKey(logit: 0, token: 8))
        for logit in logits {
            let key = RankKey(logit: logit, token: 123_456)
            #expect(key.logit == logit)
            #expect(key.token == 123_456)
        }
    }

    @Test(arguments: [1, 2, 63, 64, 65, 255, 256, 257, 1000, 5000], [1, 2, 3, 40])
    func prefixIsTheSortedOrder(count: Int, distinctCount: Int) {
        var random = SeededGenerator(UInt64(count))
        var keys = (0..<count).map { token in
            // Few distinct values make many ties; 40 stands for all distinct.
            RankKey(
                logit: distinctCount == 40 ? random.symmetric() : Float(Int.random(in: 0..<distinctCount, using: &random)),
                token: token)
        }
        let expected = keys.sorted(by: >)
        keys.withUnsafeMutableBufferPointer { keys in
            var ranked = RankedPrefix(keys)
            #expect(ranked.count == count)
            for rank in stride(from: 0, to: count, by: 1 + count / 50) { #expect(ranked.key(rank) == expected[rank]) }
            #expect((0..<count).map { ranked.key($0) } == expected)
        }
    }

    @Test(arguments: [1, 15, 16, 17, 300, 1001]) func scans(count: Int) {
        var random = SeededGenerator(UInt64(count))
        for round in 0..<20 {
            var logits = (0..<count).map { _ in Float(Int.random(in: -8...8, using: &random)) }
            let largest = logits.max() ?? 0
            #expect(LogitScan.indexOfLargest(logits, count: count) == logits.firstIndex(of: largest))
            let sorted = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
            let top = LogitScan.top(round, of: logits, count: count) { $0 - 1 }
            #expect(top.map(\.token) == sorted.prefix(round).map { TokenID($0) })
            #expect(top.map(\.logprob) == sorted.prefix(round).map { logits[$0] - 1 })
            #expect(LogitScan.areFinite(logits, count: count))
            for bad in [Float.infinity, -.infinity, .nan, .signalingNaN] {
                let place = Int.random(in: 0..<count, using: &random)
                let good = logits[place]
                logits[place] = bad
                #expect(!LogitScan.areFinite(logits, count: count))
                logits[place] = good
            }
        }
    }
}
