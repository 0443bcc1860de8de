import Tensors
package import Vocabulary

/// Chooses a token from one row of logits. Everything here is one chain of our own arithmetic in a fixed order, so the
/// choice depends on the logits, the parameters, the tokens so far and the seed, and on nothing else.
///
/// In order: penalties; suppressed tokens; the likeliest token if the temperature is 0; else weights
/// exp((logit - largest) / temperature), of which top-k keeps the k likeliest, then top-p of those the shortest run of
/// likeliest ones that holds at least the share p of their weight, then min-p those of at least min-p times the
/// likeliest; one uniform number picks among the rest by weight.
package struct Sampler {
    private let logits: UnsafeMutablePointer<Float>
    private let count: Int
    private let sampling: SamplingParameters
    private let scratch: SamplerScratch

    /// - Parameters:
    ///   - logits: (scratch.vocabularySize) finite; as they were when this returns.
    ///   - history: how to sample, and with penalties the tokens up to the position before `position`.
    ///   - suppressed: tokens of the vocabulary that may not be chosen.
    ///   - position: of the token to be chosen.
    package static func choose(
        logits: UnsafeMutablePointer<Float>, history: TokenHistory, suppressed: [TokenID], position: Int,
        scratch: SamplerScratch
    ) -> TokenID {
        scratch.changes.removeAll(keepingCapacity: true)
        if history.sampling.usesPenalties { Penalties.apply(history, to: logits, scratch: scratch) }
        for token in suppressed {
            scratch.changes.append((Int(token), logits[Int(token)]))
            logits[Int(token)] = -.infinity
        }
        defer {
            // Backwards, because a token can have been changed twice.
            for change in scratch.changes.reversed() { logits[change.token] = change.logit }
        }
        let sampler = Sampler(
            logits: logits, count: scratch.vocabularySize, sampling: history.sampling, scratch: scratch)
        return sampler.choose(position: position)
    }

    private func choose(position: Int) -> TokenID {
        let likeliest = LogitScan.indexOfLargest(logits, count: count)
        let largest = logits[likeliest]
        // An infinite largest logit has no softmax: all are suppressed, or a penalty overflowed.
        guard sampling.temperature > 0, largest.isFinite, sampling.topK != 1 else { return TokenID(likeliest) }
        let uniform = CounterRandom.uniform(
            seed: sampling.seed, choice: sampling.choice, position: position, draw: 0)
        if sampling.topK > 0 && sampling.topK < count || sampling.topP < 1 {
            return drawRanked(uniform, largest: largest)
        }
        return drawAny(uniform, largest: largest)
    }

    /// exp((logit - largest) / temperature); 1 for the likeliest.
    @inline(__always)
    private func weight(_ logit: Float, largest: Float) -> Float {
        Numerics.exp((logit - largest) / sampling.temperature)
    }

    // MARK: Without order: no top-k, no top-p

    private func drawAny(_ uniform: Double, largest: Float) -> TokenID {
        let total = weighAll(largest: largest, least: sampling.minP)
        let target = uniform * total
        var sum = 0.0
        var last = 0
        for token in 0..<count where scratch.weights[token] > 0 {
            sum += Double(scratch.weights[token])
            last = token
            if sum > target { break }
        }
        return TokenID(last)
    }

    /// Fills the weights in order of id, those below `least` with 0, and gives their sum.
    private func weighAll(largest: Float, least: Float) -> Double {
        let weights = scratch.weights
        for token in 0..<count { weights[token] = (logits[token] - largest) / sampling.temperature }
        Numerics.exp(weights, count: count, into: weights)
        var total = 0.0
        for token in 0..<count {
            if !(weights[token] >= least) { weights[token] = 0 }
            total += Double(weights[token])
        }
        return total
    }

    // MARK: In order of likelihood: top-k or top-p

    private func drawRanked(_ uniform: Double, largest: Float) -> TokenID {
        for token in 0..<count { scratch.keys[token] = RankKey(logit: logits[token], token: token) }
        var ranked = RankedPrefix(UnsafeMutableBufferPointer(start: scratch.keys, count: count))
        let keptCount = keptCount(&ranked, largest: largest)
        var total = 0.0
        for rank in 0..<keptCount { total += Double(scratch.weights[rank]) }
        let target = uniform * total
        var sum = 0.0
        for rank in 0..<keptCount {
            sum += Double(scratch.weights[rank])
            if sum > target { return ranked.key(rank).token }
        }
        return ranked.key(keptCount - 1).token
    }

    /// How many of the likeliest tokens the filters keep, at least one; their weights are in `scratch.weights`, by
    /// rank.
    private func keptCount(_ ranked: inout RankedPrefix, largest: Float) -> Int {
        let countMax = sampling.topK > 0 ? min(sampling.topK, count) : count
        let isNucleus = sampling.topP < 1
        let share = sampling.topP > 0 ? Double(sampling.topP) : 0
        var wanted = Double.infinity
        if isNucleus {
            // Of all: the sum in order of id needs no sorting. Of the top k: the sum in order of rank.
            wanted =
                share
                * (countMax == count
                    ? weighAll(largest: largest, least: 0)
                    : (0..<countMax).reduce(0.0) { $0 + Double(weight(ranked.key($1).logit, largest: largest)) })
        }
        var sum = 0.0
        var rank = 0
        while rank < countMax {
            let weight = weight(ranked.key(rank).logit, largest: largest)
            if rank > 0, weight < sampling.minP || weight == 0 { break }
            scratch.weights[rank] = weight
            sum += Double(weight)
            rank += 1
            if sum >= wanted { break }
        }
        return rank
    }
}
