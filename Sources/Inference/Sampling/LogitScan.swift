package import Vocabulary

/// Passes over one row of logits.
package enum LogitScan {
    private typealias Lanes = SIMD16<Float>

    /// Whether no logit is infinite or not a number.
    package static func areFinite(_ logits: UnsafePointer<Float>, count: Int) -> Bool {
        // x - x is 0 for finite x and NaN for the others; NaN stays in the sum.
        var sums = Lanes()
        let wholeCount = count / Lanes.scalarCount * Lanes.scalarCount
        for index in stride(from: 0, to: wholeCount, by: Lanes.scalarCount) {
            let lanes = UnsafeRawPointer(logits + index).loadUnaligned(as: Lanes.self)
            sums += lanes - lanes
        }
        var sum = sums.sum()
        for index in wholeCount..<count { sum += logits[index] - logits[index] }
        return sum == 0
    }

    /// The first index of the largest logit.
    package static func indexOfLargest(_ logits: UnsafePointer<Float>, count: Int) -> Int {
        let wholeCount = count / Lanes.scalarCount * Lanes.scalarCount
        var largest = -Float.infinity
        if wholeCount > 0 {
            var lanesLargest = Lanes(repeating: -.infinity)
            for index in stride(from: 0, to: wholeCount, by: Lanes.scalarCount) {
                let lanes = UnsafeRawPointer(logits + index).loadUnaligned(as: Lanes.self)
                lanesLargest.replace(with: lanes, where: lanes .> lanesLargest)
            }
            largest = lanesLargest.max()
        }
        for index in wholeCount..<count { largest = max(largest, logits[index]) }
        for index in 0..<count where logits[index] == largest { return index }
        return 0
    }

    /// The `rankCount` largest logits, largest first, ties in order of index, as log-probabilities.
    package static func top(
        _ rankCount: Int, of logits: UnsafePointer<Float>, count: Int, logprob: (Float) -> Float
    ) -> [RankedToken] {
        let rankCount = min(rankCount, count)
        guard rankCount > 0 else { return [] }
        var best: [RankKey] = []
        best.reserveCapacity(rankCount + 1)
        var least = -Float.infinity
        for index in 0..<count {
            let logit = logits[index]
            // Of equal logits the earlier index ranks higher, so one that only equals the least does not enter.
            guard best.count < rankCount || logit > least else { continue }
            let key = RankKey(logit: logit, token: index)
            if best.count == rankCount { best.removeLast() }
            var place = best.count
            while place > 0, best[place - 1] < key { place -= 1 }
            best.insert(key, at: place)
            least = best[best.count - 1].logit
        }
        return best.map { RankedToken(token: $0.token, logprob: logprob(logits[Int($0.token)])) }
    }
}
